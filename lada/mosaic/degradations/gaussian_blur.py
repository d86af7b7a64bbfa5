"""Gaussian blur."""

import cv2
import numpy as np

from lada.mosaic.sampling import lerp
from lada.registry import DEGRADATIONS


@DEGRADATIONS.register_module()
class GaussianBlur:
    """Blurs the clip, all frames alike.

    Args:
        p: probability that a clip is blurred, 0 to 1.
        kernel_size: side of the filter in pixels, odd.
        sigma_range: limits between which the standard deviation, in pixels, is drawn uniformly.
    """

    def __init__(self, p: float, kernel_size: int = 13, sigma_range: tuple[float, float] = (1, 4)):
        self.p, self.kernel_size = p, kernel_size
        self.sigma_range: tuple[float, float] = (sigma_range[0], sigma_range[1])

    def __call__(self, frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        applied, unit = rng.random(2)
        if applied >= self.p:
            return frames
        kernel = cv2.getGaussianKernel(self.kernel_size, lerp(unit, self.sigma_range))
        out = np.empty_like(frames)
        for source, target in zip(frames, out, strict=True):
            # Faster than cv2.GaussianBlur.
            cv2.sepFilter2D(source, -1, kernel, kernel, dst=target)
        return out
