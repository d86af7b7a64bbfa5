# The network of assets/weights/starter.safetensors: it goes on from what single frames taught
# (mosaic_restoration_starter_frames.py) with clips. docs/guides/starter.md says on what.
_base_ = './mosaic_restoration_starter_frames.py'

experiment_name = 'mosaic_restoration_starter'
work_dir = f'./experiments/basicvsrpp/{experiment_name}'

train_cfg = dict(max_iters=900, val_interval=300)
default_hooks = dict(checkpoint=dict(interval=100), logger=dict(interval=20))

mosaic = dict(
    type='DrawMosaic',
    mod_probs=dict(squa_avg=0.7, rect_avg=0.3),
    size_scale=(0.5, 3.8),
    size_distribution='loguniform',
    feather_prob=0.3,
    everywhere=0.4,
)

train_dataloader = dict(
    dataset=dict(
        # Fewer, and nothing of second order would be learned.
        num_frame=4,
        pipeline=[
            dict(type='LoadClip', size=256),
            mosaic,
            dict(type='FlipClip'),
            dict(type='PackClip'),
        ],
    ),
)

optim_wrapper = dict(optimizer=dict(lr=3e-4))
param_scheduler = dict(T_max=900)
load_from = './experiments/basicvsrpp/mosaic_restoration_starter_frames/iter_8000.pth'
