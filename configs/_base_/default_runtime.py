# Logs, checkpoints and the process. Types without a scope are Lada's own or MMEngine's.
default_scope = 'lada'

save_dir = './experiments/basicvsrpp'

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=100, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=2_000, out_dir=save_dir),
    sampler_seed=dict(type='DistSamplerSeedHook'),
)
custom_hooks = [dict(type='PicturesHook', num_clips=4)]

# The data order depends on the seed alone, also with a seed per rank.
randomness = dict(seed=42, deterministic=False, diff_rank_seed=True)

# The training script puts gloo in place of nccl where there is no CUDA.
env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)

log_level = 'INFO'
log_processor = dict(type='LogProcessor', window_size=50, by_epoch=False)

visualizer = dict(
    type='Visualizer',
    name='visualizer',
    vis_backends=[dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')],
)

load_from = None
resume = False
