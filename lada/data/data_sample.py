"""What travels with the input frames of a sample, or of a batch of them."""

from collections.abc import Sequence
from typing import cast

import torch
from mmengine.structures import BaseDataElement

from lada.errors import LadaError


class DataSample(BaseDataElement):
    """Ground truth, mask, prediction and metadata of one clip; after :meth:`stack`, of a batch.

    Data fields: ``gt_img`` (T, 3, H, W) uint8 RGB, ``mosaic_mask`` (T, H, W) uint8 0 or 255, later
    ``pred_img``. Metadata: ``gt_path``, ``key`` (the clip's stem), ``fps``, ``img_channel_order``,
    ``img_color_type``, ``gt_channel_order``, ``gt_color_type``, ``clip_start`` (number of the first
    frame), ``mosaic_block`` ((height, width) of a block in pixels of ``gt_img``, or None where
    unknown), ``mosaic_origin`` ((T, 2) array of (y, x) where a line of the block grid begins, at or
    before the content's corner; None where there is no upright grid).
    """

    @classmethod
    def stack(cls, data_samples: Sequence['DataSample']) -> 'DataSample':
        """Return one element for a batch: tensors gain a first dimension, all else becomes
        lists.
        """
        batch = cls()
        for key in data_samples[0].keys():  # noqa: SIM118 (a BaseDataElement is no mapping)
            values = [sample.get(key) for sample in data_samples]
            if all(isinstance(value, torch.Tensor) for value in values):
                shapes = {tuple(value.shape) for value in values}
                if len(shapes) > 1:
                    raise LadaError(
                        f'cannot batch clips of different shapes: {key} {sorted(shapes)}; use '
                        'batch_size=1, or num_frame equal to min_num_frame'
                    )
                values = torch.stack(values)
            batch.set_data({key: values})
        metainfo = {}
        for sample in data_samples:
            metainfo |= dict.fromkeys(sample.metainfo_keys())
        batch.set_metainfo({key: [sample.get(key) for sample in data_samples] for key in metainfo})
        return batch

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

    def split(self) -> list['DataSample']:
        """Return one element a clip, the reverse of :meth:`stack`.

        Data and metadata as long as the batch are divided; other metadata is handed to every clip.
        """
        count = next(len(value) for value in self.values())
        samples = []
        for number in range(count):
            sample = type(self)(
                metainfo={
                    key: value[number] if isinstance(value, list) and len(value) == count else value
                    for key, value in self.metainfo_items()
                }
            )
            sample.set_data({key: value[number] for key, value in self.items()})
            samples.append(sample)
        return samples
