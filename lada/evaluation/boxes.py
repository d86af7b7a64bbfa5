"""Bounding boxes of masks."""

import cv2
import numpy as np

Slices = tuple[slice, slice]
"""Rows and columns of a picture."""


def bounding_box(mask: np.ndarray, margin: int = 0, smallest: int = 1) -> Slices | None:
    """Return rows and columns of the smallest box around a mask, ``None`` for an empty one.

    Args:
        mask: (H, W) bool or uint8, not 0 inside.
        margin: pixels by which the box is widened to every side, within the picture.
        smallest: pixels that the box has at least in both directions, if the picture has as many.
    """
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8, copy=False))
    if not width:
        return None
    slices = []
    for start, length, whole in zip((y, x), (height, width), mask.shape, strict=True):
        first = max(min(start - margin, whole - smallest), 0)
        end = max(start + length + margin, first + smallest)
        slices.append(slice(first, min(end, whole)))
    rows, columns = slices
    return rows, columns
