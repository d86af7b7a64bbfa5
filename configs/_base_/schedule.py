# From scratch on many clips.
train_cfg = dict(type='IterBasedTrainLoop', max_iters=100_000, val_interval=5_000)
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
