"""Drawing the mosaic that the network is to undo."""

from collections.abc import Mapping, Sequence

import numpy as np
from mmcv.transforms import BaseTransform

from lada.data.transforms.geometry import resize, zero_pads
from lada.errors import LadaError
from lada.mosaic import draw_mosaic, random_look
from lada.registry import TRANSFORMS


@TRANSFORMS.register_module()
class DrawMosaic(BaseTransform):
    """Make ``inputs`` from ``gt``, unless a stored mosaic was loaded; ``mask`` becomes the pixels
    of drawn blocks.

    Of a clip that was resized the blocks are as large as they were in the clip's own pixels, drawn
    at the size of the input.

    Args:
        stored_look: draw the look that the metadata holds instead of a random one; then the other
            arguments have no effect. None for one of these: the default of
            :func:`lada.mosaic.random_look`.
        size_scale: limits of the factor between the clip's base block size and that of the mosaic.
        mod_probs: how likely each kind of block is, by its name (see
            :class:`~lada.mosaic.MosaicLook`).
        rect_ratio_range: limits of width over height of wide blocks.
        feather_prob: how often the mosaic's edge is feathered, 0 to 1.
        feather_scale: limits of the size of the feathering box in blocks.
        size_distribution: of the block size between its limits, ``uniform`` or ``loguniform``.
        size_weights: how likely each of so many equal parts of that range is, the smallest sizes
            first (parts of the logarithm under ``loguniform``); ``(3, 2, 1)`` makes small blocks
            frequent. Left out: all alike.
        everywhere: how often the mosaic covers the whole picture, 0 to 1: a step teaches more then.
    """

    def __init__(
        self,
        stored_look: bool = False,
        size_scale: Sequence[float] | None = None,
        mod_probs: Mapping[str, float] | None = None,
        rect_ratio_range: Sequence[float] | None = None,
        feather_prob: float | None = None,
        feather_scale: Sequence[float] | None = None,
        size_distribution: str | None = None,
        everywhere: float = 0.0,
        size_weights: Sequence[float] | None = None,
    ) -> None:
        self.stored_look = stored_look
        options = {
            'size_scale': size_scale,
            'mod_probs': mod_probs,
            'rect_ratio_range': rect_ratio_range,
            'feather_prob': feather_prob,
            'feather_scale': feather_scale,
            'size_distribution': size_distribution,
            'size_weights': size_weights,
        }
        self.everywhere = everywhere
        self.options = {name: value for name, value in options.items() if value is not None}

    def transform(self, results: dict) -> dict:
        meta, pads = results['meta'], results['pads']
        look = meta.mosaic
        if 'inputs' not in results:
            if not self.stored_look:
                look = random_look(results['rng'], meta.block_size, **self.options)
            elif look is None:
                raise LadaError(
                    "the metadata holds neither a mosaic video nor a 'mosaic' look; use "
                    'random_mosaic_params=True'
                )
            frames, mask = results.pop('onto', results['gt']), results['mask']
            own_mask = results.pop('own_mask', mask)
            # Without the option no number is drawn: samples stay what they were.
            if self.everywhere and results['rng'].random() < self.everywhere:
                mask, own_mask = np.full_like(mask, 255), np.full_like(own_mask, 255)
            mask = resize(mask, *frames.shape[1:3], mask=True)
            results['inputs'], mask = draw_mosaic(frames, mask, look, pads, own_masks=own_mask)
            results['mask'] = resize(mask, *results['gt'].shape[1:3], mask=True)
            zero_pads(results['inputs'], pads, results['crop_shape'])
        ratios = np.divide(results['gt'].shape[1:3], results['crop_shape'])
        results['block'] = look and tuple((look.block_shape * ratios).tolist())
        results['origin'] = look and pads[:, [0, 2]] * ratios
        return results
