"""A mean over the masked pixels of many frames."""

import math

import cv2
import numpy as np


class MaskedMean:
    """A mean over the pixels of many frames; ``nan`` without any."""

    def __init__(self):
        self.total, self.count = 0.0, 0

    def add(self, total: float, count: int) -> None:
        """Add ``count`` values by their sum."""
        self.total += total
        self.count += count

    def add_masked(self, values: np.ndarray, mask: np.ndarray) -> None:
        """Add the values (H, W), or (H, W, C) with C at most 4, where the mask (H, W) is not 0."""
        mask = mask.astype(np.uint8)
        pixels = cv2.countNonZero(mask)
        if pixels:
            channels = 1 if values.ndim == 2 else values.shape[2]
            self.add(sum(cv2.mean(values, mask)[:channels]) * pixels, channels * pixels)

    @property
    def value(self) -> float:
        """The mean of what was added."""
        return self.total / self.count if self.count else math.nan
