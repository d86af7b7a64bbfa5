"""Gaussian noise."""

import math
from functools import lru_cache
from statistics import NormalDist

import cv2
import numpy as np

from lada.registry import DEGRADATIONS


@DEGRADATIONS.register_module()
class GaussianNoise:
    """Adds white Gaussian noise.

    The noise takes 256 equally likely values, the quantiles of the distribution scaled to its
    variance: a byte of randomness a sample is enough for them, where a float would take longer.

    Args:
        p: probability that a clip gets noise, 0 to 1.
        snr: how far the noise lies below the clip's mean signal power, in dB.
    """

    def __init__(self, p: float, snr: float = 50):
        self.p, self.snr = p, snr

    def __call__(self, frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        applied = rng.random()
        # A stream of its own, so that what follows does not depend on whether and how much noise
        # was drawn.
        bits = np.random.SFC64(int(rng.integers(2**63)))
        if applied >= self.p:
            return frames
        rows = frames.reshape(*frames.shape[:2], -1)
        power = sum(cv2.norm(frame, cv2.NORM_L2SQR) for frame in rows) / rows.size
        deviation = math.sqrt(power / 10 ** (self.snr / 10))
        levels = np.rint(_normal_levels() * deviation).astype(np.int16)
        out = np.empty_like(rows)
        for source, target in zip(rows, out, strict=True):
            draws = bits.random_raw(-(-source.size // 8)).astype('<u8', copy=False).view(np.uint8)
            draws = draws[: source.size].reshape(source.shape)
            cv2.add(source, cv2.LUT(draws, levels), dst=target, dtype=cv2.CV_8U)
        return out.reshape(frames.shape)


@lru_cache(maxsize=1)
def _normal_levels() -> np.ndarray:
    """Return 256 equally likely values with the shape of a normal distribution, mean 0 and variance
    1.
    """
    levels = np.array([NormalDist().inv_cdf((i + 0.5) / 256) for i in range(256)])
    return levels / levels.std()
