"""Turning a clip by a small angle."""

from collections.abc import Sequence

import cv2
import numpy as np

from lada.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RotateClip:
    """Turn the whole clip about its centre with probability ``prob``, by one of ``degrees``; corners become black.

    The grid of the mosaic is no longer upright then: ``origin`` becomes None.
    """

    def __init__(self, prob: float = 0.3, degrees: Sequence[float] = (-2, -1, 1, 2)) -> None:
        self.prob = prob
        self.degrees = tuple(degrees)

    def __call__(self, results: dict) -> dict:
        rng = results['rng']
        if rng.random() >= self.prob:
            return results
        angle = self.degrees[rng.integers(len(self.degrees))]
        for key, method in (('inputs', cv2.INTER_LINEAR), ('gt', cv2.INTER_LINEAR), ('mask', cv2.INTER_NEAREST)):
            results[key] = _turn(results[key], angle, method)
        results['origin'] = None
        return results


def _turn(frames: np.ndarray, degrees: float, method: int) -> np.ndarray:
    height, width = frames.shape[1:3]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1)
    turned = np.empty_like(frames)
    for source, target in zip(frames, turned, strict=True):
        cv2.warpAffine(source, matrix, (width, height), target, flags=method)
    return turned
