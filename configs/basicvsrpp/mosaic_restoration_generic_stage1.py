# Stage 1: fine-tune BasicVSR++ with a pixel loss. Start from trained weights with --load-from.
_base_ = '../_base_/default_runtime.py'

experiment_name = 'mosaic_restoration_generic_stage1'
save_dir = './experiments/basicvsrpp'
work_dir = f'{save_dir}/{experiment_name}'

# Where the clips are; ./create_validation_set.sh makes the second folder from the first.
data_root = '{{$LADA_DATA_ROOT:datasets/mosaic_removal_vid}}'
val_root = '{{$LADA_VAL_ROOT:datasets/mosaic_removal_vid_val}}'

model = dict(
    type='BasicVSR',
    generator=dict(
        type='BasicVSRPlusPlusNet',
        mid_channels=64,
        num_blocks=15,
        is_low_res_input=False,
        # Validation clips are whole; longer ones would move their features to the CPU and back.
        cpu_cache_length=1000,
        # Activations that would not fit into free memory are computed again; the gradients stay the
        # same.
        checkpoint_segment='auto',
    ),
    pixel_loss=dict(type='CharbonnierLoss', loss_weight=1.0, reduction='mean'),
    # The flow network stays frozen for the first 6.7 % of the run.
    train_cfg=dict(fix_iter=2_000),
    data_preprocessor=dict(
        type='DataPreprocessor', mean=[0.0, 0.0, 0.0], std=[255.0, 255.0, 255.0], non_blocking=True
    ),
)

train_dataloader = dict(
    num_workers=4,
    batch_size=2,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='MosaicVideoDataset',
        metadata_root_dir=f'{data_root}/crop_unscaled_meta',
        num_frame=30,
        degrade=True,
        use_hflip=True,
        random_mosaic_params=True,
        lq_size=256,
    ),
    collate_fn=dict(type='default_collate'),
)

val_dataloader = dict(
    num_workers=1,
    batch_size=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='MosaicVideoDataset',
        metadata_root_dir=f'{val_root}/crop_unscaled_meta',
        num_frame=30,
        degrade=True,
        use_hflip=False,
        rotation_probability=0.0,
        repeatable_random=True,
        random_mosaic_params=True,
        lq_size=256,
    ),
    collate_fn=dict(type='default_collate'),
)

val_evaluator = dict(
    type='Evaluator', metrics=[dict(type='PSNR'), dict(type='SSIM'), dict(type='MosaicGain')]
)

train_cfg = dict(type='IterBasedTrainLoop', max_iters=30_000, val_interval=3_000)
val_cfg = dict(type='MultiValLoop')

optim_wrapper = dict(
    constructor='DefaultOptimWrapperConstructor',
    type='OptimWrapper',
    optimizer=dict(type='Adam', lr=1e-4, betas=(0.9, 0.99)),
    paramwise_cfg=dict(custom_keys={'spynet': dict(lr_mult=0.25)}),
)
# --auto-scale-lr: the learning rate above belongs to two processes of batch size 2.
auto_scale_lr = dict(enable=False, base_batch_size=4)

model_wrapper_cfg = dict(type='MMDistributedDataParallel', find_unused_parameters=True)

# The data order depends on the seed alone, also with a seed per rank (DESIGN 3.3).
randomness = dict(seed=42, deterministic=False, diff_rank_seed=True)

default_hooks = dict(
    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=1_500, out_dir=save_dir),
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
)
