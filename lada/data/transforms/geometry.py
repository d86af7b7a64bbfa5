"""Geometry that several transforms share."""

import cv2
import numpy as np


def resize(frames: np.ndarray, height: int, width: int, *, mask: bool = False) -> np.ndarray:
    """Resize (T, H, W[, 3]); area averaging down, cubic up, nearest for masks. The same array if nothing changes."""
    old_height, old_width = frames.shape[1:3]
    if (old_height, old_width) == (height, width):
        return frames
    smaller = height * width < old_height * old_width
    method = cv2.INTER_NEAREST if mask else cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    resized = np.empty((len(frames), height, width, *frames.shape[3:]), frames.dtype)
    for source, target in zip(frames, resized, strict=True):
        cv2.resize(source, (width, height), target, interpolation=method)
    return resized


def zero_pads(frames: np.ndarray, pads: np.ndarray, crop_shape: tuple[int, int]) -> None:
    """Blacken in place the padded border of frames resized from ``crop_shape``, to which ``pads`` refer.

    A pixel that the padding covers in part counts as padding.
    """
    if not pads.any():
        return
    height, width = frames.shape[1:3]
    scaled = -(-pads * [height, height, width, width] // np.repeat(crop_shape, 2))
    for frame, (top, bottom, left, right) in zip(frames, scaled, strict=True):
        frame[:top] = 0
        frame[height - bottom:] = 0
        frame[:, :left] = 0
        frame[:, width - right:] = 0
