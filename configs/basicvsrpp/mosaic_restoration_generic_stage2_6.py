# Stage 2.6: the same on longer clips, for what lasts over time. Start from stage 2.5 with
# --load-from.
_base_ = './mosaic_restoration_generic_stage2_5.py'

experiment_name = 'mosaic_restoration_generic_stage2_6'
work_dir = f'./experiments/basicvsrpp/{experiment_name}'

train_dataloader = dict(batch_size=1, dataset=dict(num_frame=26))
