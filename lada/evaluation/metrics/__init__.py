"""Metrics for a config's ``val_evaluator`` and the functions behind them."""

from lada.evaluation.metrics.clip_metric import ClipMetric
from lada.evaluation.metrics.image_quality import PSNR, SSIM
from lada.evaluation.metrics.mosaic_gain import MosaicGain
from lada.evaluation.picture_quality import psnr, ssim

__all__ = ['PSNR', 'SSIM', 'ClipMetric', 'MosaicGain', 'psnr', 'ssim']
