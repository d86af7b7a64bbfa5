"""Geometry that several transforms share."""

import cv2
import numpy as np

from lada.video.resizing import resize_picture


def resize(frames: np.ndarray, height: int, width: int, *, mask: bool = False) -> np.ndarray:
    """Resize all frames, see :func:`~lada.video.resizing.resize_picture`. The same array if nothing
    changes.

    Args:
        frames: (T, H, W) or (T, H, W, 3) uint8.
        height, width: the new size in pixels.
        mask: take the nearest pixel, so that no new values appear.
    """
    if frames.shape[1:3] == (height, width):
        return frames
    resized = np.empty((len(frames), height, width, *frames.shape[3:]), frames.dtype)
    for source, target in zip(frames, resized, strict=True):
        if mask:
            cv2.resize(source, (width, height), target, interpolation=cv2.INTER_NEAREST)
        else:
            resize_picture(source, (height, width), target)
    return resized


def zero_pads(frames: np.ndarray, pads: np.ndarray, crop_shape: tuple[int, int]) -> None:
    """Blacken in place the padded border of frames that were resized.

    A pixel that the padding covers in part counts as padding.

    Args:
        frames: (T, H, W) or (T, H, W, 3).
        pads: (T, 4) top, bottom, left, right, in pixels of ``crop_shape``.
        crop_shape: height and width before the resize.
    """
    if not pads.any():
        return
    height, width = frames.shape[1:3]
    scaled = -(-pads * [height, height, width, width] // np.repeat(crop_shape, 2))
    for frame, (top, bottom, left, right) in zip(frames, scaled, strict=True):
        frame[:top] = 0
        frame[height - bottom :] = 0
        frame[:, :left] = 0
        frame[:, width - right :] = 0
