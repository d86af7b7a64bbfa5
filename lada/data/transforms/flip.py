"""Mirroring a clip."""

import math

import cv2
from mmcv.transforms import BaseTransform

from lada.registry import TRANSFORMS


@TRANSFORMS.register_module()
class FlipClip(BaseTransform):
    """Mirror the whole clip left to right, in place.

    Args:
        prob: how often, 0 to 1.
    """

    def __init__(self, prob: float = 0.5) -> None:
        self.prob = prob

    def transform(self, results: dict) -> dict:
        if results['rng'].random() >= self.prob:
            return results
        for key in ('inputs', 'gt', 'mask'):
            for frame in results[key]:
                cv2.flip(frame, 1, frame)
        if results['origin'] is not None:
            self._mirror_grid(results)
        results['pads'] = results['pads'][:, [0, 1, 3, 2]]
        return results

    def _mirror_grid(self, results: dict) -> None:
        width, block = results['gt'].shape[2], results['block'][1]
        right_pads = results['pads'][:, 3] * (width / results['crop_shape'][1])
        origin = results['origin'].copy()
        for frame, right in enumerate(right_pads):
            # The block cut short by the right edge is now the first one: its line lies at or left
            # of the content.
            columns = math.ceil((width - right - origin[frame, 1]) / block - 1e-9)
            origin[frame, 1] = width - origin[frame, 1] - columns * block
        results['origin'] = origin
