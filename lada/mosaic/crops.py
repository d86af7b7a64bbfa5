"""What crops around a mosaic share, whether they are cut to train on or to restore."""

import numpy as np

SMALLEST_SIDE = 128
"""Crops below this many pixels show little; a smaller frame is taken whole."""


def square_padding(shape: tuple[int, int], side: int) -> tuple[int, int, int, int]:
    """Return the rows and columns (top, bottom, left, right) that centre ``shape`` in a square.

    Args:
        shape: height and width of what is padded, both at most ``side``.
        side: the square's, in pixels.
    """
    rows, columns = side - shape[0], side - shape[1]
    return rows // 2, rows - rows // 2, columns // 2, columns - columns // 2


def smoothed(path: np.ndarray, radius: int) -> np.ndarray:
    """Return the centred moving average of a path, ends repeated.

    Args:
        path: (T, 2) positions.
        radius: how many frames before and after one are averaged with it.
    """
    padded = np.pad(path, ((radius + 1, radius), (0, 0)), mode='edge')
    sums = np.cumsum(padded, axis=0)
    width = 2 * radius + 1
    return (sums[width:] - sums[:-width]) / width
