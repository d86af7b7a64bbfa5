# First part of the starter network's training: what single frames tell, which costs a fifth of a
# clip. mosaic_restoration_starter.py goes on from it.
_base_ = './mosaic_restoration_demo_cpu.py'

experiment_name = 'mosaic_restoration_starter_frames'
work_dir = f'./experiments/basicvsrpp/{experiment_name}'

data_root = '{{$LADA_DATA_ROOT:datasets/starter}}'

train_cfg = dict(max_iters=8_000, val_interval=1_000)
default_hooks = dict(checkpoint=dict(interval=500), logger=dict(interval=50))

model = dict(pixel_loss=dict(eps=1e-4))

# Blocks of 3 to 24 pixels of 256, as many of 3 to 6 as of 12 to 24; most pictures are covered all
# over, so that a step teaches more.
mosaic = dict(
    type='DrawMosaic',
    mod_probs=dict(squa_avg=0.7, rect_avg=0.3),
    size_scale=(0.5, 3.8),
    size_distribution='loguniform',
    feather_prob=0.3,
    everywhere=0.8,
)

train_dataloader = dict(
    dataset=dict(
        metadata_root_dir=f'{data_root}/crop_unscaled_meta',
        num_frame=1,
        pipeline=[
            dict(type='LoadClip', size=256),
            mosaic,
            dict(type='FlipClip'),
            dict(type='PackClip'),
        ],
    ),
)

optim_wrapper = dict(optimizer=dict(lr=5e-4), clip_grad=dict(max_norm=0.05))
param_scheduler = dict(T_max=8_000)
