"""Rotating a clip by a small angle."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from lada.registry import TRANSFORMS


class _Maps(NamedTuple):
    """Which pixel each pixel comes from, and how far beyond it, in 32nds; and which is nearest."""

    whole: np.ndarray
    fraction: np.ndarray
    nearest: np.ndarray


@TRANSFORMS.register_module()
class RotateClip(BaseTransform):
    """Rotate the whole clip about its centre; corners become black.

    The grid of the mosaic is no longer upright then: ``origin`` becomes None.

    Args:
        prob: how often, 0 to 1.
        degrees: angles of which one is drawn, in degrees, positive ones counter-clockwise.
    """

    def __init__(self, prob: float = 0.3, degrees: Sequence[float] = (-2, -1, 1, 2)) -> None:
        self.prob = prob
        self.degrees = tuple(degrees)

    def transform(self, results: dict) -> dict:
        rng = results['rng']
        if rng.random() >= self.prob:
            return results
        angle = self.degrees[rng.integers(len(self.degrees))]
        maps = _maps(*results['inputs'].shape[1:3], angle)
        larger = (
            maps
            if results['gt'].shape == results['inputs'].shape
            else _maps(*results['gt'].shape[1:3], angle)
        )
        results['inputs'] = _rotate(results['inputs'], maps.whole, maps.fraction)
        results['gt'] = _rotate(results['gt'], larger.whole, larger.fraction)
        results['mask'] = _rotate(results['mask'], larger.nearest)
        results['origin'] = None
        return results


@lru_cache(maxsize=8)
def _maps(height: int, width: int, degrees: float) -> _Maps:
    """Return where each pixel comes from, in OpenCV's fixed-point form, made once for all
    frames.
    """
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -degrees, 1)
    columns, rows = np.arange(width), np.arange(height)[:, None]
    x, y = (across * columns + down * rows + shift for across, down, shift in matrix)
    x, y = x.astype(np.float32), y.astype(np.float32)
    nearest, _ = cv2.convertMaps(x, y, cv2.CV_16SC2, nninterpolation=True)
    whole, fraction = cv2.convertMaps(x, y, cv2.CV_16SC2)
    return _Maps(whole, fraction, nearest)


def _rotate(
    frames: np.ndarray, whole: np.ndarray, fraction: np.ndarray | None = None
) -> np.ndarray:
    """Look pixels up; linearly interpolated with ``fraction``, else the pixel at ``whole``."""
    rotated = np.empty_like(frames)
    method = cv2.INTER_NEAREST if fraction is None else cv2.INTER_LINEAR
    for source, target in zip(frames, rotated, strict=True):
        # OpenCV's stubs do not know that the second map may be missing.
        cv2.remap(source, whole, fraction, method, target)  # pyright: ignore[reportCallIssue, reportArgumentType]
    return rotated
