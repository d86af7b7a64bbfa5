"""Joining the data samples of a batch, and taking them apart again."""

from collections.abc import Sequence

import torch
from mmengine.structures import BaseDataElement

from lada.errors import LadaError


def stack_samples(samples: Sequence[BaseDataElement]) -> BaseDataElement:
    """Return one sample of the same class: tensors stacked along a new first dimension, all else in
    lists.

    Raises :class:`LadaError` when the samples hold different fields or shapes.
    """
    first = samples[0]
    stacked = type(first)()
    if any(set(sample.keys()) != set(first.keys()) for sample in samples):
        names = [sorted(sample.keys()) for sample in samples]
        raise LadaError(
            f'cannot batch samples that hold different fields: {names}; make every sample alike'
        )
    for key, _ in first.items():
        values = [sample.get(key) for sample in samples]
        if all(torch.is_tensor(value) for value in values):
            shapes = {tuple(value.shape) for value in values}
            if len(shapes) > 1:
                raise LadaError(
                    f'cannot batch samples whose {key} differ in shape: {sorted(shapes)}; '
                    'use one clip length and frame size, or batch size 1'
                )
            values = torch.stack(values)
        stacked.set_field(values, key)
    meta_keys = {key: None for sample in samples for key in sample.metainfo_keys()}
    stacked.set_metainfo(
        {key: [sample.metainfo.get(key) for sample in samples] for key in meta_keys}
    )
    return stacked


def split_samples(stacked: BaseDataElement, count: int) -> list[BaseDataElement]:
    """Undo :func:`stack_samples` for ``count`` samples."""
    samples = [type(stacked)() for _ in range(count)]
    for index, sample in enumerate(samples):
        sample.set_metainfo(
            {key: _item(value, index, count) for key, value in stacked.metainfo_items()}
        )
        for key, value in stacked.items():
            sample.set_field(_item(value, index, count), key)
    return samples


def _item(value, index: int, count: int):
    splits = torch.is_tensor(value) or isinstance(value, (list, tuple))
    return value[index] if splits and len(value) == count else value
