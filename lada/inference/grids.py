"""The block grids of a window of frames, one mosaic at a time."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lada.mosaic.find import MosaicRegion


class WindowMosaic(NamedTuple):
    """One mosaic in a window of frames."""

    masks: list[np.ndarray]
    """(H, W) bool for each frame: its pixels."""
    block: tuple[float, float] | None
    """Height and width of a block in pixels of the frame; None: the grid is not known."""
    origin: np.ndarray | None
    """(T, 2) where a corner between blocks lies in each frame, y and x."""


def mosaics_of_window(
    masks: Sequence[np.ndarray], regions: Sequence[Sequence[MosaicRegion]]
) -> list[WindowMosaic]:
    """Divide the masked pixels of a window between the mosaics that were found there.

    Pixels without one come last, without a grid. Where a mosaic was not found in a frame, the
    nearest frame's grid counts.

    Args:
        masks: (H, W) bool for each frame.
        regions: what was found in each frame.
    """
    left = [mask.copy() for mask in masks]
    divided = []
    for track in sorted({region.track for found in regions for region in found}):
        mine = [next((r for r in found if r.track == track), None) for found in regions]
        seen = [number for number, region in enumerate(mine) if region is not None]
        parts = []
        for mask, region in zip(left, mine, strict=True):
            part = np.zeros_like(mask)
            if region is not None:
                top, start, bottom, stop = region.box
                part[top:bottom, start:stop] = mask[top:bottom, start:stop] & region.mask
                mask &= ~part
            parts.append(part)
        known = [region for region in mine if region is not None]
        block = np.median([region.block_size for region in known], axis=0)
        nearest = np.abs(np.subtract.outer(np.arange(len(mine)), seen)).argmin(axis=1)
        origin = [known[number].origin for number in nearest]
        divided.append(
            WindowMosaic(parts, (float(block[0]), float(block[1])), np.array(origin, float))
        )
    if any(mask.any() for mask in left) or not divided:
        divided.append(WindowMosaic(left, None, None))
    return divided
