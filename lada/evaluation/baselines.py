"""What a restoration has to beat, smooth interpolation of the colours that a mosaic still tells,
and what the blocks say about any restoration.
"""

from collections.abc import Sequence

import numpy as np
import torch

from lada.evaluation.boxes import bounding_box
from lada.mosaic.block_grid import BlockGrid

# Cubic interpolation reaches two blocks far, and a block may begin in the one before.
_REACH = 3


class ClipGrid:
    """The block grid of one clip, for arrays of uint8 frames (T, H, W, 3).

    Args:
        masks: (T, H, W), not 0 where the mosaic is.
        block: height and width of a block in pixels, fractions allowed.
        origin: (T, 2) position (y, x) of a crossing of the block grid in each frame.
    """

    def __init__(self, masks: np.ndarray, block: Sequence[float], origin: np.ndarray):
        masks = np.not_equal(masks, 0)
        box = bounding_box(np.asarray(masks.any(axis=0))) or (slice(0, 1), slice(0, 1))
        margins = [int(np.ceil(_REACH * side)) for side in block]
        self._window = tuple(
            slice(max(part.start - margin, 0), part.stop + margin)
            for part, margin in zip(box, margins, strict=True)
        )
        corner = [part.start for part in self._window]
        self._grid = BlockGrid(
            torch.from_numpy(masks[:, *self._window])[None],
            [block],
            [torch.from_numpy(np.asarray(origin, float) - corner)],
        )

    def interpolate(self, mosaic: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return two restorations of the mosaic: bicubic interpolation of its block means, and the
        same with each block shifted so that its mean is the mosaic's ("consistent").

        Every block's mean, inside the mosaic and around it, is a sample at the block's centre; a
        block that the mask covers in part counts by its masked pixels. Pixels outside the mask are
        returned as they are.
        """
        clip = self._tensor(mosaic)
        bicubic = self._grid.interpolate(clip)
        consistent = self._grid.consistent(bicubic, clip)
        return self._replaced(mosaic, bicubic), self._replaced(mosaic, consistent)

    def error(self, frames: np.ndarray, mosaic: np.ndarray) -> float:
        """Return by how many grey levels the block means of ``frames`` miss those of ``mosaic``:
        root mean square over all masked pixels and frames, ``nan`` without any.
        """
        counts = self._grid.pixels[0].double()
        if not counts.sum():
            return float('nan')
        errors = self._grid.error(self._tensor(frames), self._tensor(mosaic))[0].double()
        return float(((errors.square() * counts).sum() / counts.sum()).sqrt())

    def _tensor(self, frames: np.ndarray) -> torch.Tensor:
        window = np.ascontiguousarray(frames[:, *self._window].transpose(0, 3, 1, 2))
        return torch.from_numpy(window)[None].float()

    def _replaced(self, mosaic: np.ndarray, clip: torch.Tensor) -> np.ndarray:
        out = mosaic.copy()
        pixels = clip[0].round().clamp(0, 255).to(torch.uint8)
        out[:, *self._window] = pixels.permute(0, 2, 3, 1).numpy()
        return out
