"""The metrics `PSNR` and `SSIM` of a config's `val_evaluator`, with MMagic's names and
arguments.
"""

from abc import abstractmethod

import numpy as np

from lada.errors import LadaError
from lada.evaluation.frames import field, to_frames, to_masks
from lada.evaluation.metrics.clip_metric import ClipMetric
from lada.evaluation.picture_quality import psnr_of_mse, squared_error, summed_similarity
from lada.evaluation.results import mean
from lada.registry import METRICS


class _ImageQuality(ClipMetric):
    """Arguments of :class:`PSNR` and :class:`SSIM`."""

    name: str

    def __init__(
        self,
        gt_key: str = 'gt_img',
        pred_key: str = 'pred_img',
        collect_device: str = 'cpu',
        prefix: str | None = None,
        crop_border: int = 0,
        input_order: str = 'CHW',
        convert_to: str | None = None,
        region: str | None = None,
        mask_key: str = 'mosaic_mask',
    ):
        super().__init__(collect_device, prefix)
        if region not in (None, 'mosaic'):
            raise LadaError(
                f"{type(self).__name__}: unknown region {region!r}; use None or 'mosaic'"
            )
        self.gt_key, self.pred_key, self.mask_key = gt_key, pred_key, mask_key
        self.options = (crop_border, 'HWC', convert_to)
        self.input_order = input_order
        self.region = region

    def result_names(self) -> list[str]:
        return [self.name if self.region is None else f'{self.name}_mosaic']

    def measure(self, sample: dict) -> dict[str, float]:
        gt, pred = (
            to_frames(field(sample, key), self.input_order) for key in (self.gt_key, self.pred_key)
        )
        if gt.shape != pred.shape:
            raise LadaError(
                f'{type(self).__name__}: {self.pred_key} is {pred.shape} and {self.gt_key}'
                f' {gt.shape} (T, H, W, C); check scale and clip length'
            )
        if self.region is None:
            values = [
                self.value(*self.summed(*frames, *self.options))
                for frames in zip(pred, gt, strict=True)
            ]
            return {self.name: mean(values)}
        [name] = self.result_names()
        if sample.get(self.mask_key) is None:
            return {name: float('nan')}
        masks = to_masks(sample[self.mask_key])
        sums = [
            self.summed(*frames, *self.options, mask)
            for *frames, mask in zip(pred, gt, masks, strict=True)
            if mask.any()
        ]
        total, count = (sum(numbers) for numbers in zip(*sums, strict=True)) if sums else (0.0, 0)
        return {name: self.value(total, count)}

    @staticmethod
    @abstractmethod
    def summed(pred: np.ndarray, gt: np.ndarray, /, *options) -> tuple[float, int]:
        """Return the sum and the number of the local values of a frame."""

    @staticmethod
    @abstractmethod
    def value(total: float, count: int) -> float:
        """Return the metric's value for a sum over ``count`` local values, ``nan`` for none."""


@METRICS.register_module()
class PSNR(_ImageQuality):
    """Peak signal-to-noise ratio in dB, of rounded RGB pictures in [0, 255].

    The value of a clip is the mean over its frames, the result ``PSNR`` the mean over clips; a
    frame without error makes both infinite, as in MMagic. In a region, ``PSNR_mosaic``: the value
    of a clip comes from the mean squared error over all its masked pixels, and a clip without any
    is left out.

    Args:
        gt_key: field of the ground truth, (T, 3, H, W) or (3, H, W) in [0, 255].
        pred_key: field of the restored clip, of the same shape.
        collect_device: where MMEngine collects results of several processes, ``cpu`` or ``gpu``.
        prefix: put before the name of the result and a ``/``; nothing when ``None``.
        crop_border: pixels that are left out at every edge.
        input_order: layout of a frame in both fields, ``CHW`` or ``HWC``.
        convert_to: ``Y`` compares BT.601 luma, ``None`` all three channels.
        region: ``mosaic`` compares only pixels that the mask marks, ``None`` whole frames.
        mask_key: field of the mask (T, H, W), not 0 in the mosaic.

    Raises :class:`LadaError` for another region and for clips of different shapes.
    """

    name = 'PSNR'
    summed = staticmethod(squared_error)

    @staticmethod
    def value(total, count):
        return psnr_of_mse(total / count) if count else float('nan')


@METRICS.register_module()
class SSIM(_ImageQuality):
    """Structural similarity of rounded RGB pictures in [0, 255]; see
    :mod:`lada.evaluation.picture_quality`.

    The value of a clip is the mean over its frames, the result ``SSIM`` the mean over clips. In a
    region, ``SSIM_mosaic``: the mean of the map of local similarities over all masked pixels of a
    clip; a clip without any is left out.

    Args:
        gt_key: field of the ground truth, (T, 3, H, W) or (3, H, W) in [0, 255].
        pred_key: field of the restored clip, of the same shape.
        collect_device: where MMEngine collects results of several processes, ``cpu`` or ``gpu``.
        prefix: put before the name of the result and a ``/``; nothing when ``None``.
        crop_border: pixels that are left out at every edge.
        input_order: layout of a frame in both fields, ``CHW`` or ``HWC``.
        convert_to: ``Y`` compares BT.601 luma, ``None`` all three channels.
        region: ``mosaic`` compares only pixels that the mask marks, ``None`` whole frames.
        mask_key: field of the mask (T, H, W), not 0 in the mosaic.

    Raises :class:`LadaError` for another region and for clips of different shapes.
    """

    name = 'SSIM'
    summed = staticmethod(summed_similarity)

    @staticmethod
    def value(total, count):
        return total / count if count else float('nan')
