"""Measuring restored clips, and the pictures and reports that show it."""

from lada.evaluation.baselines import interpolate_block_means
from lada.evaluation.metrics import PSNR, SSIM, MosaicGain, psnr, ssim
from lada.evaluation.pictures import make_strip, save_strip, side_by_side

__all__ = [
    'PSNR',
    'SSIM',
    'MosaicGain',
    'interpolate_block_means',
    'make_strip',
    'psnr',
    'save_strip',
    'side_by_side',
    'ssim',
]
