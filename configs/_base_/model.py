# BasicVSR++ of the published size with output of the input's size, trained by a pixel loss.
model = dict(
    type='BasicVSR',
    generator=dict(
        type='BasicVSRPlusPlusNet',
        mid_channels=64,
        num_blocks=15,
        is_low_res_input=False,
        # Validation clips are whole; longer ones would move their features to the CPU and back.
        cpu_cache_length=1000,
        # Activations that would not fit into free memory are computed again; same gradients.
        checkpoint_segment='auto',
    ),
    pixel_loss=dict(type='CharbonnierLoss', loss_weight=1.0, reduction='mean'),
    # The flow network stays frozen for so many iterations.
    train_cfg=dict(fix_iter=5_000),
    data_preprocessor=dict(
        type='DataPreprocessor', mean=[0.0, 0.0, 0.0], std=[255.0, 255.0, 255.0], non_blocking=True
    ),
)
