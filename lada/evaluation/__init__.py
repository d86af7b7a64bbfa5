"""Measuring restored clips, and the pictures and reports that show it."""

from lada.evaluation.baselines import ClipGrid
from lada.evaluation.metrics import PSNR, SSIM, MosaicGain, psnr, ssim
from lada.evaluation.pictures import make_strip, save_strip, side_by_side

__all__ = [
    'PSNR',
    'SSIM',
    'ClipGrid',
    'MosaicGain',
    'make_strip',
    'psnr',
    'save_strip',
    'side_by_side',
    'ssim',
]
