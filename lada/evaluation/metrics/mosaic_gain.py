"""The headline metric: what the model adds, in the mosaic and nowhere else."""

import cv2
import numpy as np

from lada.errors import LadaError
from lada.evaluation.baselines import interpolate_block_means
from lada.evaluation.frames import to_frames, to_masks
from lada.evaluation.metrics.clip_metric import ClipMetric, field
from lada.evaluation.metrics.functional import psnr_of_mse
from lada.registry import METRICS

MAX_PSNR = 100.
"""dB of a region restored without any error, so that sums stay finite."""


@METRICS.register_module()
class MosaicGain(ClipMetric):
    """PSNR in dB over the mosaic region of the model's input, of bicubic interpolation, of its output, and the gain.

    Results ``mosaic/psnr_input``, ``mosaic/psnr_bicubic``, ``mosaic/psnr_model``, ``mosaic/gain`` (model over input)
    and ``mosaic/gain_over_bicubic``, means over clips. A clip's PSNR comes from the mean squared error over its masked
    pixels in all frames, at most 100 dB; a clip without mosaic is left out, one without an upright block grid has no
    bicubic baseline (:func:`lada.evaluation.interpolate_block_means`).
    """

    default_prefix = 'mosaic'

    def __init__(self, gt_key: str = 'gt_img', pred_key: str = 'pred_img', input_key: str = 'input',
                 mask_key: str = 'mosaic_mask', collect_device: str = 'cpu', prefix: str | None = None):
        super().__init__(collect_device, prefix)
        self.gt_key, self.pred_key, self.input_key, self.mask_key = gt_key, pred_key, input_key, mask_key

    def measure(self, sample: dict) -> dict[str, float]:
        gt, pred, mosaic = (to_frames(field(sample, key)) for key in (self.gt_key, self.pred_key, self.input_key))
        masks = to_masks(field(sample, self.mask_key))
        if gt.shape != pred.shape or masks.shape != gt.shape[:3]:
            raise LadaError(f'MosaicGain: {self.pred_key} is {pred.shape}, {self.mask_key} {masks.shape} and '
                            f'{self.gt_key} {gt.shape}; check scale and clip length')
        mosaic = enlarge(mosaic, gt.shape[1:3])
        bicubic = bicubic_baseline(mosaic, masks, sample)
        values = {'psnr_input': region_psnr(mosaic, gt, masks),
                  'psnr_bicubic': np.nan if bicubic is None else region_psnr(bicubic, gt, masks),
                  'psnr_model': region_psnr(pred, gt, masks)}
        return {**values, 'gain': values['psnr_model'] - values['psnr_input'],
                'gain_over_bicubic': values['psnr_model'] - values['psnr_bicubic']}


def bicubic_baseline(mosaic: np.ndarray, masks: np.ndarray, sample: dict) -> np.ndarray | None:
    """Return :func:`interpolate_block_means` for the grid that a sample's metadata names, ``None`` without one."""
    block, origin = sample.get('mosaic_block'), sample.get('mosaic_origin')
    return None if block is None or origin is None else interpolate_block_means(mosaic, masks, block, origin)


def enlarge(frames: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return frames resized by cubic interpolation to ``size`` (height, width), unless they have it."""
    if frames.shape[1:3] == tuple(size):
        return frames
    return np.stack([cv2.resize(frame, size[::-1], interpolation=cv2.INTER_CUBIC) for frame in frames])


def region_psnr(frames: np.ndarray, gt: np.ndarray, masks: np.ndarray) -> float:
    """Return the PSNR in dB over all masked pixels of a clip, at most ``MAX_PSNR``; ``nan`` without any."""
    difference = frames[masks].astype(np.float32) - gt[masks]
    return min(psnr_of_mse(np.mean(np.square(difference, dtype=np.float64))), MAX_PSNR) if difference.size else np.nan
