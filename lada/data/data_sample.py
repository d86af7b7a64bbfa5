"""What travels with the input frames of a sample, or of a batch of them."""

from collections.abc import Sequence
from typing import Any, TypeVar, cast

import numpy as np
import torch
from mmengine.structures import BaseDataElement, LabelData

from lada.errors import LadaError


class DataSample(BaseDataElement):
    """Ground truth, mask, prediction and metadata of one clip; after :meth:`stack`, of a batch.

    Data fields: ``gt_img`` (T, 3, H, W) uint8 RGB, ``mosaic_mask`` (T, H, W) uint8 0 or 255, later
    ``pred_img``. Metadata: ``gt_path``, ``key`` (the clip's stem),
    ``source`` (the name of the video that it was cut from), ``fps``, ``img_channel_order``,
    ``img_color_type``, ``gt_channel_order``, ``gt_color_type``, ``clip_start`` (number of the first
    frame), ``mosaic_block`` ((height, width) of a block in pixels of ``gt_img``, or None where
    unknown), ``mosaic_origin`` ((T, 2) array of (y, x) where a line of the block grid begins, at or
    before the content's corner; None where there is no upright grid).
    """

    @classmethod
    def stack(cls, data_samples: Sequence['DataSample']) -> 'DataSample':
        """Return one element for a batch, as :func:`stack_samples` does."""
        return stack_samples(data_samples)

    def split(self, allow_nonseq_value: bool = True) -> list['DataSample']:
        """Return one element a clip, the reverse of :meth:`stack`.

        Args:
            allow_nonseq_value: MMagic's; here what is not one value a clip always goes to each.
        """
        lengths = (_length(value) for value in self.values())
        return split_samples(self, next(length for length in lengths if length is not None))

    def __len__(self) -> int:
        """Return how many clips are stacked; 1 where the first dimensions do not agree on it."""
        values = [*self.values(), *self.metainfo_values()]
        lengths = {length for value in values if (length := _length(value)) is not None}
        # Never 0, so that a sample is true.
        return max(1, *lengths) if len(lengths) == 1 else 1

    def set_tensor_data(self, data: dict) -> None:
        """Set data fields from tensors, arrays or numbers, ``gt_label`` as :meth:`set_gt_label`."""
        for key, value in data.items():
            if key == 'gt_label':
                self.set_gt_label(value)
            else:
                self.set_field(torch.as_tensor(value), key, dtype=torch.Tensor)

    def set_gt_label(
        self, value: torch.Tensor | np.ndarray | Sequence[float] | int
    ) -> 'DataSample':
        """Set ``gt_label``, a :class:`mmengine.structures.LabelData`, and return self.

        Raises :class:`ValueError` for a label that ``num_classes``, where the sample has it, rules
        out, and :class:`TypeError` for what is no label.
        """
        if isinstance(value, str):
            raise TypeError(f'{type(value)} is not a label: {value!r}')
        label, classes = torch.as_tensor(value), self.get('num_classes')
        if classes is not None and label.max() >= classes:
            raise ValueError(f'a label data ({label}) should be below num_classes ({classes})')
        known = {} if classes is None else dict(num_classes=classes)
        self.gt_label = LabelData(label=torch.atleast_1d(label), metainfo=known)
        return self

    def pin_memory(self) -> 'DataSample':
        """Return the same with its tensors in page-locked memory; PyTorch's loader calls this under
        ``pin_memory``.
        """
        # MMEngine's annotation names the base class.
        pinned = cast('DataSample', self.new())
        for key, value in self.items():
            if isinstance(value, torch.Tensor):
                pinned.set_data({key: value.pin_memory()})
        return pinned


Sample = TypeVar('Sample', bound=BaseDataElement)


def stack_samples(samples: Sequence[Sample]) -> Sample:
    """Return one sample of the same class: tensors stacked along a new first dimension, all else in
    lists.

    Raises :class:`LadaError` when the samples hold different fields or shapes.
    """
    first = samples[0]
    if any(set(sample.keys()) != set(first.keys()) for sample in samples):
        names = [sorted(sample.keys()) for sample in samples]
        raise LadaError(
            f'cannot batch samples that hold different fields: {names}; make every sample alike'
        )
    stacked = type(first)()
    for key, _ in first.items():
        values = [sample.get(key) for sample in samples]
        if all(torch.is_tensor(value) for value in values):
            shapes = {tuple(value.shape) for value in values}
            if len(shapes) > 1:
                raise LadaError(
                    f'cannot batch clips of different shapes: {key} {sorted(shapes)}; use '
                    'batch_size=1, or num_frame equal to min_num_frame'
                )
            values = torch.stack(values)
        elif all(isinstance(value, LabelData) for value in values):
            values = LabelData(label=torch.stack([value.label for value in values]))
        stacked.set_field(values, key)
    meta_keys = {key: None for sample in samples for key in sample.metainfo_keys()}
    stacked.set_metainfo(
        {key: [sample.metainfo.get(key) for sample in samples] for key in meta_keys}
    )
    return stacked


def split_samples(stacked: Sample, count: int) -> list[Sample]:
    """Undo :func:`stack_samples` for ``count`` samples.

    Data and metadata as long as the batch are divided; what is not is handed to every sample.
    """
    samples = [type(stacked)() for _ in range(count)]
    for index, sample in enumerate(samples):
        sample.set_metainfo(
            {key: _item(value, index, count) for key, value in stacked.metainfo_items()}
        )
        for key, value in stacked.items():
            sample.set_field(_item(value, index, count), key)
    return samples


def _item(value: Any, index: int, count: int):
    if isinstance(value, LabelData):
        return LabelData(label=_item(value.get('label'), index, count))
    if isinstance(value, BaseDataElement):
        return split_samples(value, count)[index]
    splits = torch.is_tensor(value) or isinstance(value, list)
    return value[index] if splits and len(value) == count else value


def _length(value: Any) -> int | None:
    if isinstance(value, LabelData):
        value = value.get('label')
    if isinstance(value, (torch.Tensor, np.ndarray)):
        return len(value) if value.ndim else None
    is_sequence = isinstance(value, (DataSample, Sequence)) and not isinstance(value, str)
    return len(value) if is_sequence else None
