"""RGB <-> Y'CbCr, 8 bit, in OpenCV's vectorised integer arithmetic.

swscale's fast converters darken a little with every round trip and its accurate ones are slower, so
the common planar formats are converted here. Matrices: ITU-R BT.601, BT.709, BT.2020, SMPTE 240M,
FCC. Chroma samples are taken as centred between the luma samples, in both directions.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from lada.video.resizing import resize_picture

LUMA_WEIGHTS = {  # red, blue
    'bt601': (0.299, 0.114),
    'bt709': (0.2126, 0.0722),
    'bt2020': (0.2627, 0.0593),
    'smpte240m': (0.212, 0.087),
    'fcc': (0.30, 0.11),
}


class Transforms(NamedTuple):
    """3x4 affine matrices between RGB and Y'CbCr, both on the scale 0..255."""

    to_yuv: np.ndarray
    to_rgb: np.ndarray


@lru_cache(maxsize=16)
def transforms(matrix: str, full_range: bool = False) -> Transforms:
    """Return the affine matrices between RGB and Y'CbCr.

    Args:
        matrix: a name in :data:`LUMA_WEIGHTS`.
        full_range: whether Y' spans 0..255 instead of 16..235.
    """
    red, blue = LUMA_WEIGHTS[matrix]
    luma = np.array([red, 1 - red - blue, blue])
    linear = np.stack(
        [
            luma,
            (np.array([0, 0, 1]) - luma) / (2 * (1 - blue)),
            (np.array([1, 0, 0]) - luma) / (2 * (1 - red)),
        ]
    )
    if full_range:
        offset = np.array([0.0, 128.0, 128.0])
    else:
        linear *= np.array([[219], [224], [224]]) / 255
        offset = np.array([16.0, 128.0, 128.0])
    inverse = np.linalg.inv(linear)
    return Transforms(
        np.column_stack([linear, offset]), np.column_stack([inverse, -inverse @ offset])
    )


def rgb_to_yuv420(frame: np.ndarray, planes: Sequence[np.ndarray], matrix: str = 'bt709') -> None:
    """Convert a frame into limited-range planes.

    Args:
        frame: (H, W, 3) uint8 RGB, H and W even.
        planes: Y (H, W), U and V (H / 2, W / 2), which are filled.
        matrix: a name in :data:`LUMA_WEIGHTS`.
    """
    full: np.ndarray = np.empty((2, *frame.shape[:2]), np.uint8)
    cv2.split(cv2.transform(frame, transforms(matrix).to_yuv), (planes[0], *full))
    for plane, chroma in zip(planes[1:], full, strict=True):
        cv2.resize(chroma, plane.shape[::-1], plane, interpolation=cv2.INTER_AREA)


def rgb_to_yuv444p(frame: np.ndarray, matrix: str = 'bt709') -> np.ndarray:
    """Convert (H, W, 3) uint8 RGB into limited-range (3, H, W) planes."""
    return np.stack(cv2.split(cv2.transform(frame, transforms(matrix).to_yuv)))


def planes_to_rgb(
    luma: np.ndarray,
    blue: np.ndarray,
    red: np.ndarray,
    matrix: str,
    full_range: bool = False,
    out: np.ndarray | None = None,
    size: tuple[int, int] | None = None,
) -> np.ndarray:
    """Convert planes Y, U, V into (H, W, 3) uint8 RGB.

    Args:
        luma: (h, w) uint8.
        blue, red: chroma planes U and V of any size, interpolated linearly to Y's.
        matrix: a name in :data:`LUMA_WEIGHTS`.
        full_range: whether Y' spans 0..255 instead of 16..235.
        out: array to write to; a new one unless given.
        size: H and W, Y's own unless given. Each plane is resized by itself, which is cheaper than
            the picture.
    """
    if size is not None and size != luma.shape:
        luma = resize_picture(luma, size)
        if blue.shape[0] > size[0] or blue.shape[1] > size[1]:  # else it is interpolated below
            blue, red = (resize_picture(chroma, size) for chroma in (blue, red))
    # OpenCV merges rows with gaps between them more slowly.
    luma, blue, red = (np.ascontiguousarray(plane) for plane in (luma, blue, red))
    if blue.shape != luma.shape:
        blue, red = (_enlarged(chroma, luma.shape) for chroma in (blue, red))
    return cv2.transform(
        cv2.merge((luma, blue, red)), transforms(matrix, full_range).to_rgb, dst=out
    )


def _enlarged(plane: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    height, width = plane.shape
    if shape != (2 * height, 2 * width):
        return cv2.resize(plane, shape[::-1], interpolation=cv2.INTER_LINEAR)
    # Linear interpolation to twice the size is repeating each pixel and weighting neighbours 1:2:1,
    # which is faster.
    pairs = cv2.merge((plane, plane)).reshape(height, 1, 2 * width)
    return cv2.GaussianBlur(
        pairs.repeat(2, axis=1).reshape(shape), (3, 3), 0, borderType=cv2.BORDER_REPLICATE
    )


@lru_cache(maxsize=1)
def _expansion() -> np.ndarray:
    levels = (np.arange(256) - 16) * (255 / 219)
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)


def expand_luma(luma: np.ndarray) -> np.ndarray:
    """Map limited range (16..235) to 0..255, clipped."""
    return cv2.LUT(luma, _expansion())
