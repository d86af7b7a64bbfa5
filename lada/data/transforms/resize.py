"""Bringing a clip to the size the network takes."""

from mmcv.transforms import BaseTransform

from lada.data.transforms.geometry import resize, zero_pads
from lada.errors import LadaError
from lada.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ResizeClip(BaseTransform):
    """Resize ``inputs`` to ``size`` and ``gt`` and ``mask`` to ``size * scale``; the padding
    becomes exact zeros.

    Args:
        size: pixels of both sides, or (height, width). Clips are square as a rule; others are
            stretched.
        scale: how many times larger the ground truth is than the input.
    """

    def __init__(self, size: int | tuple[int, int] = 256, scale: int = 1) -> None:
        height, width = (size, size) if isinstance(size, int) else size
        if min(height, width, scale) < 1:
            raise LadaError(f'ResizeClip: size {size} and scale {scale} must be at least 1')
        self.shapes = (height, width), (height * scale, width * scale)

    def transform(self, results: dict) -> dict:
        small, large = self.shapes
        gt, mask = results['gt'], results['mask']
        results['gt'], results['mask'] = resize(gt, *large), resize(mask, *large, mask=True)
        if 'inputs' in results:
            results['inputs'] = resize(results['inputs'], *small)
        else:
            results['own_mask'] = mask
            results['onto'] = resize(results['gt'], *small)
        for key in {'inputs', 'onto', 'gt', 'mask'} & results.keys():
            zero_pads(results[key], results['pads'], results['crop_shape'])
        ratios = [new / old for new, old in zip(large, results['crop_shape'], strict=True)]
        if results.get('block') is not None:
            results['block'] = tuple(
                side * ratio for side, ratio in zip(results['block'], ratios, strict=True)
            )
            results['origin'] = results['origin'] * ratios
        return results
