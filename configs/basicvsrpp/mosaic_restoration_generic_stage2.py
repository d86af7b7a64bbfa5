# Stage 2: sharper pictures by a perceptual and an adversarial loss. Start from stage 1 with
# --load-from.
_base_ = './mosaic_restoration_generic_stage1.py'

experiment_name = 'mosaic_restoration_generic_stage2'
work_dir = f'./experiments/basicvsrpp/{experiment_name}'

model = dict(
    _delete_=True,
    type='BasicVSRPlusPlusGan',
    generator=dict(
        type='BasicVSRPlusPlusGanNet',
        mid_channels=64,
        num_blocks=15,
        cpu_cache_length=1000,
        checkpoint_segment='auto',
    ),
    discriminator=dict(
        type='UNetDiscriminatorWithSpectralNorm',
        in_channels=3,
        mid_channels=64,
        skip_connection=True,
    ),
    pixel_loss=dict(type='CharbonnierLoss', loss_weight=1.0, reduction='mean'),
    perceptual_loss=dict(
        type='PerceptualLoss',
        layer_weights={'2': 0.1, '7': 0.1, '16': 1.0, '25': 1.0, '34': 1.0},
        vgg_type='vgg19',
        # Downloaded once; without a network name the file:
        # --cfg-options model.perceptual_loss.pretrained=PATH
        pretrained='torchvision://vgg19',
        perceptual_weight=0.2,
        style_weight=0,
        norm_img=False,
    ),
    gan_loss=dict(
        type='GANLoss', gan_type='vanilla', loss_weight=5e-2, real_label_val=1.0, fake_label_val=0
    ),
    is_use_ema=True,
    data_preprocessor=dict(
        type='DataPreprocessor', mean=[0.0, 0.0, 0.0], std=[255.0, 255.0, 255.0], non_blocking=True
    ),
)

train_cfg = dict(max_iters=150_000, val_interval=4_000)
default_hooks = dict(checkpoint=dict(interval=2_000), logger=dict(interval=100))

# Discriminator and VGG see every frame: shorter clips than in stage 1.
train_dataloader = dict(dataset=dict(num_frame=16))

optim_wrapper = dict(
    _delete_=True,
    constructor='MultiOptimWrapperConstructor',
    generator=dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=5e-5, betas=(0.9, 0.99))),
    discriminator=dict(
        type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-4, betas=(0.9, 0.99))
    ),
)

# Each network has its own optimizer, hence its own wrapper. All their parameters are used in every
# iteration.
model_wrapper_cfg = dict(_delete_=True, type='MMSeparateDistributedDataParallel')

custom_hooks = [
    dict(type='PicturesHook', num_clips=4),
    dict(
        type='ExponentialMovingAverageHook',
        module_keys='generator_ema',
        interval=1,
        interp_cfg=dict(momentum=0.001),
    ),
]
