# The network of assets/weights/starter.safetensors, trained from scratch on one processor core in
# hours; docs/starter.md says on what.
_base_ = './mosaic_restoration_demo_cpu.py'

experiment_name = 'mosaic_restoration_starter'
work_dir = f'./experiments/basicvsrpp/{experiment_name}'

data_root = '{{$LADA_DATA_ROOT:datasets/starter}}'

train_cfg = dict(max_iters=5_000, val_interval=500)
default_hooks = dict(checkpoint=dict(interval=250))

# Blocks of 3 to 24 pixels of 256, as many of 3 to 6 as of 12 to 24.
mosaic = dict(
    type='DrawMosaic',
    mod_probs=dict(squa_avg=0.7, rect_avg=0.3),
    size_scale=(0.5, 3.8),
    size_distribution='loguniform',
    feather_prob=0.3,
)

train_dataloader = dict(
    dataset=dict(
        metadata_root_dir=f'{data_root}/crop_unscaled_meta',
        # Fewer, and nothing of second order would be learned.
        num_frame=4,
        pipeline=[
            dict(type='LoadClip'),
            dict(type='ResizeClip', size=256),
            mosaic,
            dict(type='FlipClip'),
            dict(type='PackClip'),
        ],
    ),
)

optim_wrapper = dict(clip_grad=dict(max_norm=0.05))
param_scheduler = dict(T_max=5_000)
