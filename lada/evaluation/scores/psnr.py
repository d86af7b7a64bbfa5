"""PSNR in the mosaic and of the frame, at most 100 dB: also without any error, sums stay finite."""

import math

import cv2
import numpy as np

from lada.evaluation.picture_quality import psnr_of_mse
from lada.evaluation.scores.clip import ClipReference
from lada.evaluation.scores.masked_mean import MaskedMean
from lada.evaluation.scores.score import Score
from lada.registry import SCORES

MAX_PSNR = 100.0


@SCORES.register_module()
class MosaicPSNR(Score):
    """Peak signal-to-noise ratio in dB, from the mean squared error over a clip's masked pixels."""

    name = 'psnr_mosaic'
    title = 'PSNR in the mosaic'
    unit = 'dB'
    higher_is_better = True
    meaning = 'from the mean squared error over all mosaic pixels'

    def measure(self, clip: ClipReference, frames: np.ndarray) -> float:
        squares = MaskedMean()
        for frame, truth, mask in zip(frames, clip.gt, clip.masks, strict=True):
            inside = mask.astype(np.uint8)
            squares.add(
                cv2.norm(frame, truth, cv2.NORM_L2SQR, inside), 3 * cv2.countNonZero(inside)
            )
        mse = squares.value
        return mse if math.isnan(mse) else min(psnr_of_mse(mse), MAX_PSNR)


@SCORES.register_module()
class FramePSNR(Score):
    """Peak signal-to-noise ratio in dB of whole frames, mean over a clip's frames."""

    name = 'psnr'
    title = 'PSNR of the frame'
    unit = 'dB'
    higher_is_better = True
    meaning = 'mean over frames; mostly pixels that nobody touched'

    def measure(self, clip: ClipReference, frames: np.ndarray) -> float:
        values = [
            min(psnr_of_mse(cv2.norm(frame, truth, cv2.NORM_L2SQR) / frame.size), MAX_PSNR)
            for frame, truth in zip(frames, clip.gt, strict=True)
        ]
        return float(np.mean(values))
