# Stage 2.5: more weight on how it looks. Start from stage 2 with --load-from.
_base_ = './mosaic_restoration_generic_stage2.py'

experiment_name = 'mosaic_restoration_generic_stage2_5'
work_dir = f'./experiments/basicvsrpp/{experiment_name}'

model = dict(perceptual_loss=dict(perceptual_weight=1.0), gan_loss=dict(loss_weight=0.1))
