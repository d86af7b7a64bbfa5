# Third part of the starter network's training, after mosaic_restoration_starter.py: single frames
# again, a third of them worn out by a codec, as mosaics found in videos are.
_base_ = './mosaic_restoration_starter_frames.py'

experiment_name = 'mosaic_restoration_starter_worn'
work_dir = f'./experiments/basicvsrpp/{experiment_name}'

train_cfg = dict(max_iters=3_600)

# Nearer to the squared error, by which PSNR judges.
model = dict(pixel_loss=dict(eps=1e-3))

mosaic = {{_base_.mosaic}}
worn = dict(
    type='DegradeClip',
    steps=[
        dict(
            type='VideoCompression',
            p=0.35,
            codecs=['libx264', 'libx265', 'libvpx-vp9', 'mpeg2video'],
            codec_probs=[0.3, 0.3, 0.3, 0.1],
            crf_ranges={'libx264': (16, 28), 'libx265': (20, 36)},
            bitrate_ranges={'libvpx-vp9': (6_000, 16_000), 'mpeg2video': (18_000, 40_000)},
        ),
        dict(type='GaussianBlur', p=0.05),
        dict(type='GaussianNoise', p=0.05),
    ],
)

train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadClip', size=256),
            mosaic,
            worn,
            dict(type='FlipClip'),
            dict(type='PackClip'),
        ],
    ),
)

optim_wrapper = dict(optimizer=dict(lr=3e-4))
param_scheduler = dict(T_max=3_600)
load_from = './experiments/basicvsrpp/mosaic_restoration_starter/iter_900.pth'
