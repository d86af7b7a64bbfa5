"""What a restoration has to beat: smooth interpolation of the colours that a mosaic still tells."""

import cv2
import numpy as np


def interpolate_block_means(frames: np.ndarray, masks: np.ndarray, block: tuple[float, float],
                            origin: np.ndarray) -> np.ndarray:
    """Replace masked pixels by a bicubic interpolation between the means of the blocks.

    Args:
        frames: (T, H, W, 3) uint8 with the mosaic drawn.
        masks: (T, H, W), not 0 where the mosaic is.
        block: height and width of a block in pixels, fractions allowed.
        origin: (T, 2) position (y, x) of a crossing of the block grid in each frame.

    Every block's mean, inside the mosaic and around it, is a sample at the block's centre; a block that the mask covers
    in part counts by its masked pixels. Pixels outside the mask are returned as they are.
    """
    out = frames.copy()
    for frame, mask, corner, target in zip(frames, masks != 0, np.asarray(origin, float), out, strict=True):
        if not mask.any():
            continue
        (rows, at_y), (columns, at_x) = (_blocks(length, side, start) for length, side, start in
                                         zip(mask.shape, block, corner, strict=True))
        means = _means(frame, mask, rows, columns)
        map_x, map_y = np.meshgrid(at_x, at_y)
        smooth = cv2.remap(means, map_x, map_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        np.copyto(target, np.clip(np.rint(smooth), 0, 255).astype(np.uint8), where=mask[..., None])
    return out


def _blocks(length: int, side: float, start: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the first pixel of each block along an axis, and each pixel's place between block centres."""
    place = (np.arange(length) + 0.5 - start) / side
    block = np.floor(place)
    first = np.flatnonzero(np.diff(block, prepend=block[0] - 1))
    # Blocks without a pixel of their own (narrower than one pixel) are not counted.
    number = np.cumsum(np.isin(np.arange(length), first)) - 1
    return first, (number + place - block - 0.5).astype(np.float32)


def _means(frame: np.ndarray, mask: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    def sums(image):
        return np.add.reduceat(np.add.reduceat(image, rows, axis=0), columns, axis=1)

    values = np.dstack([frame, np.ones_like(mask)]).astype(np.float32)
    masked = values * mask[..., None]
    total, covered = sums(values), sums(masked)
    total = np.where(covered[..., 3:] > 0, covered, total)
    return total[..., :3] / total[..., 3:]
