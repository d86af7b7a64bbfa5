"""Whether the clips of a data loader can be batched."""

from typing import Any

import numpy as np
from mmengine.dist import get_rank, get_world_size

from lada.data import LoadClip, MosaicVideoDataset, ResizeClip
from lada.errors import LadaError
from lada.text import printable
from lada.video import probe


def check_equal_clips(dataset: Any, batch_size: int, sampler: Any) -> None:
    """Raise :class:`LadaError` if a batch would hold clips of different lengths or sizes, which a
    run would meet in its first validation only.

    Args:
        dataset: of the loader; only Lada's is looked at.
        batch_size: clips of a batch.
        sampler: with ``shuffle`` any clips may meet, and only their lengths are looked at; else
            those that follow each other do.
    """
    if batch_size < 2 or not isinstance(dataset, MosaicVideoDataset):
        return
    if not all(type(step).__module__.startswith('lada.data.') for step in dataset.pipeline):
        return  # a transform of the user's may make them equal
    lengths = dataset.lengths
    if getattr(sampler, 'shuffle', True):
        batches = [np.array([lengths.argmin(), lengths.argmax()])]
        resized = True
    else:
        indices = np.arange(get_rank(), len(dataset), get_world_size())
        batches = np.split(indices, range(batch_size, len(indices), batch_size))
        resized = any(_resizes(step) for step in dataset.pipeline)
    for batch in batches:
        looks = [
            f'{lengths[i]} frames' if resized else f'{lengths[i]} frames of {_size(dataset, i)}'
            for i in batch
        ]
        other = next((n for n, look in enumerate(looks) if look != looks[0]), None)
        if other is not None:
            first, second = (printable(dataset.clip(int(batch[n])).stem) for n in (0, other))
            raise LadaError(
                f'a batch of {batch_size} clips cannot hold {first} ({looks[0]}) and {second}'
                f' ({looks[other]}), both in {printable(dataset.catalog.folder)}; use batch_size=1,'
                ' or min_num_frame equal to num_frame, and LoadClip(size=...) in a pipeline of your'
                ' own'
            )


def _resizes(step: Any) -> bool:
    return isinstance(step, ResizeClip) or (isinstance(step, LoadClip) and step.resize is not None)


def _size(dataset: MosaicVideoDataset, index: int) -> str:
    try:
        video = probe(dataset.clip(int(index)).video_path)
    except LadaError:
        return 'unknown size'
    return f'{video.width}x{video.height}'
