# The stage 1 job sized for a laptop CPU: a small network trained from scratch on the clips that
# run_demo.sh creates.
_base_ = '../_base_/default_runtime.py'

experiment_name = 'mosaic_restoration_demo_cpu'
save_dir = './experiments/basicvsrpp'
work_dir = f'{save_dir}/{experiment_name}'

data_root = '{{$LADA_DATA_ROOT:datasets/demo}}'
val_root = '{{$LADA_VAL_ROOT:datasets/demo_val}}'

model = dict(
    type='BasicVSR',
    generator=dict(
        type='BasicVSRPlusPlusNet', mid_channels=16, num_blocks=2, is_low_res_input=False
    ),
    # eps makes the loss quadratic up to errors of 8 grey levels, where most of this job's errors
    # are.
    pixel_loss=dict(type='CharbonnierLoss', loss_weight=1.0, reduction='mean', eps=1e-3),
    # From scratch there is no trained flow to protect, so it is frozen only briefly. Only the
    # mosaic counts: a loss over the whole frame rewards leaving pixels alone.
    train_cfg=dict(fix_iter=20, mask_weight=0.0),
    data_preprocessor=dict(
        type='DataPreprocessor', mean=[0.0, 0.0, 0.0], std=[255.0, 255.0, 255.0]
    ),
)

# One look that a small network can learn in minutes: squares, their mean, hard edges, no further
# degradation.
mosaic = dict(
    type='DrawMosaic', mod_probs=dict(squa_avg=1.0), size_scale=(1.0, 2.2), feather_prob=0.0
)
resize = dict(type='ResizeClip', size=256)

train_dataloader = dict(
    num_workers=0,
    batch_size=1,
    persistent_workers=False,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='MosaicVideoDataset',
        metadata_root_dir=f'{data_root}/crop_unscaled_meta',
        num_frame=2,
        pipeline=[
            dict(type='LoadClip'),
            resize,
            mosaic,
            dict(type='FlipClip'),
            dict(type='PackClip'),
        ],
    ),
    collate_fn=dict(type='default_collate'),
)

val_dataloader = dict(
    num_workers=0,
    batch_size=1,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='MosaicVideoDataset',
        metadata_root_dir=f'{val_root}/crop_unscaled_meta',
        num_frame=6,
        repeatable_random=True,
        pipeline=[dict(type='LoadClip'), resize, mosaic, dict(type='PackClip')],
    ),
    collate_fn=dict(type='default_collate'),
)

val_evaluator = dict(
    type='Evaluator', metrics=[dict(type='PSNR'), dict(type='SSIM'), dict(type='MosaicGain')]
)

train_cfg = dict(type='IterBasedTrainLoop', max_iters=600, val_interval=300)
val_cfg = dict(type='MultiValLoop')

optim_wrapper = dict(
    constructor='DefaultOptimWrapperConstructor',
    type='OptimWrapper',
    optimizer=dict(type='Adam', lr=1e-3, betas=(0.9, 0.99)),
    # The first step moves every pixel the same way; unclipped, its gradient would rule Adam's
    # second moment for hundreds of iterations and nothing would be learned.
    clip_grad=dict(max_norm=0.02),
    paramwise_cfg=dict(custom_keys={'spynet': dict(lr_mult=0.25)}),
)
param_scheduler = dict(type='CosineAnnealingLR', by_epoch=False, T_max=600, eta_min=1e-5)
auto_scale_lr = dict(enable=False, base_batch_size=1)

model_wrapper_cfg = dict(type='MMDistributedDataParallel', find_unused_parameters=True)

randomness = dict(seed=42, deterministic=True, diff_rank_seed=True)

default_hooks = dict(
    checkpoint=dict(
        type='CheckpointHook', by_epoch=False, interval=50, max_keep_ckpts=6, out_dir=save_dir
    ),
    logger=dict(type='LoggerHook', interval=20, log_metric_by_epoch=False),
)
