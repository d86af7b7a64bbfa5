"""Metrics for a config's ``val_evaluator`` and the functions behind them."""

from lada.evaluation.metrics.clip_metric import ClipMetric
from lada.evaluation.metrics.functional import psnr, ssim
from lada.evaluation.metrics.image_quality import PSNR, SSIM
from lada.evaluation.metrics.mosaic_gain import MosaicGain

__all__ = ['PSNR', 'SSIM', 'ClipMetric', 'MosaicGain', 'psnr', 'ssim']
