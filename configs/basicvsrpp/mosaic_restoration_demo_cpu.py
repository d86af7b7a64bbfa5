# The stage 1 job sized for a laptop CPU: the starter network (--load-from
# assets/weights/starter.safetensors, as run_demo.sh does) fine-tuned on the clips that run_demo.sh
# creates. Without --load-from it is trained from scratch.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/data.py',
    '../_base_/model.py',
    '../_base_/schedule.py',
]

experiment_name = 'mosaic_restoration_demo_cpu'
work_dir = f'./experiments/basicvsrpp/{experiment_name}'

data_root = '{{$LADA_DATA_ROOT:datasets/demo}}'
val_root = '{{$LADA_VAL_ROOT:datasets/demo_val}}'

train_cfg = dict(max_iters=300, val_interval=150)
default_hooks = dict(
    checkpoint=dict(interval=25, max_keep_ckpts=6, save_best='mosaic/gain'),
    logger=dict(interval=20),
)
randomness = dict(deterministic=True)

model = dict(
    generator=dict(
        _delete_=True,
        type='MosaicGuidedNet',
        mid_channels=24,
        num_blocks=2,
        head_channels=16,
        deform_groups=4,
        flow_channels=(16, 32, 16, 8),
    ),
    # eps makes the loss quadratic up to errors of 2.5 grey levels.
    pixel_loss=dict(eps=1e-4),
    # The flow network is small and trained with the rest. Only the mosaic counts: the network
    # leaves the other pixels alone by itself.
    train_cfg=dict(fix_iter=20, mask_weight=0.0),
    data_preprocessor=dict(non_blocking=False),
)

# One look that a small network can learn in minutes: squares, their mean, hard edges, no further
# degradation.
mosaic = dict(
    type='DrawMosaic', mod_probs=dict(squa_avg=1.0), size_scale=(1.0, 2.2), feather_prob=0.0
)
load = dict(type='LoadClip', size=256)

train_dataloader = dict(
    num_workers=0,
    batch_size=1,
    persistent_workers=False,
    dataset=dict(
        _delete_=True,
        type='MosaicVideoDataset',
        metadata_root_dir=f'{data_root}/crop_unscaled_meta',
        num_frame=4,
        pipeline=[
            load,
            mosaic,
            dict(type='FlipClip'),
            dict(type='PackClip'),
        ],
    ),
)
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        _delete_=True,
        type='MosaicVideoDataset',
        metadata_root_dir=f'{val_root}/crop_unscaled_meta',
        num_frame=6,
        repeatable_random=True,
        pipeline=[load, mosaic, dict(type='PackClip')],
    ),
)

optim_wrapper = dict(
    # For weights to start from; without them 5e-4 is better.
    optimizer=dict(lr=5e-5),
    # A clip that is far from the others must not rule Adam's second moment.
    clip_grad=dict(max_norm=0.05),
)
param_scheduler = dict(type='CosineAnnealingLR', by_epoch=False, T_max=300, eta_min=1e-6)
auto_scale_lr = dict(base_batch_size=1)
