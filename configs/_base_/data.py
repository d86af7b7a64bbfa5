# Clips with a random mosaic, degraded like videos on the net, at 256x256.
# Where the clips are; ./create_validation_set.sh makes the second folder from the first.
data_root = '{{$LADA_DATA_ROOT:datasets/mosaic_removal_vid}}'
val_root = '{{$LADA_VAL_ROOT:datasets/mosaic_removal_vid_val}}'

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
