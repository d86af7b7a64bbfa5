"""What to say where a network does not fit into memory."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from lada.errors import LadaError

TRAINING = (
    'use a smaller train_dataloader.batch_size or train_dataloader.dataset.num_frame, a smaller'
    ' model.generator.checkpoint_segment, or --amp; for validation a smaller'
    ' val_dataloader.dataset.num_frame'
)
RESTORING = 'use a smaller --window or --size, --half on CUDA, or --device cpu'
EVALUATING = (
    'use fewer frames, --cfg-options val_dataloader.dataset.num_frame=16, fewer checkpoints at'
    ' once, or --device cpu'
)


@contextmanager
def out_of_memory(remedy: str) -> Iterator[None]:
    """Turn PyTorch's error that memory has run out, of a GPU or of the machine, into a
    :class:`LadaError` of one line. It holds no sizes, so that all processes of a job say the same.
    """
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError):
            what = 'GPU memory'
        elif 'DefaultCPUAllocator' in str(error):
            what = 'memory'
        else:
            raise
        raise LadaError(f'{what} has run out; {remedy}; --debug says how much was asked for') from (
            error
        )
