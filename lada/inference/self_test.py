"""Measuring a restoration on a mosaic that was drawn on purpose."""

import numpy as np

from lada.evaluation.baselines import ClipGrid
from lada.evaluation.boxes import bounding_box
from lada.evaluation.picture_quality import WINDOW, psnr_of_mse, summed_similarity
from lada.inference.crops import plan_crops
from lada.mosaic import MosaicLook, base_block_sizes, draw_mosaic
from lada.mosaic.find import MosaicRegion

SIZE_SCALE = 1.45
"""Block size over base block size, the middle of the training data's range."""


class SyntheticMosaic:
    """Draws square mean blocks and measures what a restoration makes of them, frame by frame.

    Args:
        block_size: in pixels; ``None`` for one that suits the first region, as in the training
            data.
    """

    def __init__(self, block_size: int | None = None):
        self.block_size = block_size
        self._sums = {
            name: np.zeros(6) for name in ('mosaic input', 'bicubic', 'consistent', 'restored')
        }

    def draw(self, clean: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the frame (H, W, 3) with the mosaic, and the pixels (H, W) bool that it covers."""
        if not mask.any():
            return clean, mask
        if self.block_size is None:
            crop = plan_crops([mask])[0]
            size = base_block_sizes(crop.cut(mask.astype(np.uint8) * 255, 0)[None], mask.shape)
            self.block_size = max(2, round(SIZE_SCALE * size['mosaic_size_v1_normal']))
        look = MosaicLook('squa_avg', self.block_size)
        frames, masks = draw_mosaic(clean[None], mask[None].astype(np.uint8) * 255, look)
        return frames[0], masks[0] != 0

    def regions(self, covered: np.ndarray) -> list[MosaicRegion]:
        """Return the drawn mosaic as the finder would."""
        if self.block_size is None or not covered.any():
            return []
        side = float(self.block_size)
        return [MosaicRegion((0, 0, *covered.shape), covered, (side, side), (0.0, 0.0), 1.0, 0)]

    def measure(
        self, clean: np.ndarray, mosaic: np.ndarray, restored: np.ndarray, mask: np.ndarray
    ) -> None:
        """Add one frame to the sums.

        Args:
            clean: the frame before the mosaic was drawn, uint8 (H, W, 3).
            mosaic: with the mosaic.
            restored: what the restoration made of it.
            mask: (H, W) bool, the pixels that the mosaic covers.
        """
        smooth = mosaic, mosaic
        if self.block_size is not None:
            block = float(self.block_size), float(self.block_size)
            grid = ClipGrid(mask[None], block, np.zeros((1, 2)))
            smooth = [clip[0] for clip in grid.interpolate(mosaic[None])]
        # SSIM needs half its window around the mask.
        box = bounding_box(mask, WINDOW // 2)
        for name, frame in zip(self._sums, (mosaic, *smooth, restored), strict=True):
            error = np.square(frame.astype(np.int32) - clean)
            sums = [error[mask].sum(), 3 * np.count_nonzero(mask), error.sum(), error.size, 0, 0]
            if box is not None and min(mask[box].shape) >= WINDOW:
                sums[4:] = summed_similarity(frame[box], clean[box], 0, 'HWC', None, mask[box])
            self._sums[name] += sums

    def table(self) -> str:
        """Return the results as text."""
        lines = [
            f'{"":14}{"PSNR in the mosaic":>20}{"gain":>8}'
            f'{"SSIM in the mosaic":>20}{"PSNR of the video":>20}'
        ]
        reference = None
        for name, (
            error,
            count,
            frame_error,
            frame_count,
            similarity,
            places,
        ) in self._sums.items():
            if not count:
                return 'No frame has a mosaic: nothing was measured.'
            value = psnr_of_mse(error / count)
            reference = value if reference is None else reference
            lines.append(
                f'{name:14}{value:>17.2f}'
                f' dB{value - reference:>+8.2f}{similarity / max(places, 1):>20.4f}'
                f'{psnr_of_mse(frame_error / frame_count):>17.2f} dB'
            )
        return '\n'.join(lines)
