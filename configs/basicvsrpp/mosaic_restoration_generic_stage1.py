# Stage 1: fine-tune BasicVSR++ with a pixel loss. Start from trained weights with --load-from.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/data.py',
    '../_base_/model.py',
    '../_base_/schedule.py',
]

experiment_name = 'mosaic_restoration_generic_stage1'
work_dir = f'./experiments/basicvsrpp/{experiment_name}'

# Trained weights need less of everything: the flow network stays frozen for the first 6.7 % only.
train_cfg = dict(max_iters=30_000, val_interval=3_000)
model = dict(train_cfg=dict(fix_iter=2_000))
train_dataloader = dict(batch_size=2)
default_hooks = dict(
    checkpoint=dict(interval=1_500, save_best='mosaic/gain'), logger=dict(interval=50)
)
