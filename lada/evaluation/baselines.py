"""What a restoration has to beat: smooth interpolation of the colours that a mosaic still tells."""

import cv2
import numpy as np

from lada.evaluation.boxes import bounding_box


def interpolate_block_means(
    frames: np.ndarray, masks: np.ndarray, block: tuple[float, float], origin: np.ndarray
) -> np.ndarray:
    """Replace masked pixels by a bicubic interpolation between the means of the blocks.

    Args:
        frames: (T, H, W, 3) uint8 with the mosaic drawn.
        masks: (T, H, W), not 0 where the mosaic is.
        block: height and width of a block in pixels, fractions allowed.
        origin: (T, 2) position (y, x) of a crossing of the block grid in each frame.

    Every block's mean, inside the mosaic and around it, is a sample at the block's centre; a block
    that the mask covers in part counts by its masked pixels. Pixels outside the mask are returned
    as they are.
    """
    out = frames.copy()
    for frame, mask, corner, target in zip(
        frames, masks != 0, np.asarray(origin, float), out, strict=True
    ):
        box = bounding_box(mask)
        if box is None:
            continue
        (rows, at_y), (columns, at_x) = (
            _blocks(length, side, start, part.start, part.stop)
            for length, side, start, part in zip(mask.shape, block, corner, box, strict=True)
        )
        near = slice(rows[0], rows[-1]), slice(columns[0], columns[-1])
        means = _means(frame[near], mask[near], rows[:-1] - rows[0], columns[:-1] - columns[0])
        map_x, map_y = np.meshgrid(at_x, at_y)
        smooth = cv2.remap(means, map_x, map_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        np.copyto(
            target[box],
            np.clip(np.rint(smooth), 0, 255).astype(np.uint8),
            where=mask[box][..., None],
        )
    return out


def _blocks(
    length: int, side: float, start: float, low: int, high: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the edges of the blocks that matter to pixels ``low`` to ``high`` of an axis, and
    these pixels' places.

    Edges are first pixels, and after the last block its end; places are counted in blocks from the
    first one's centre.
    """
    place = (np.arange(length) + 0.5 - start) / side
    block = np.floor(place)
    first = np.flatnonzero(np.diff(block, prepend=block[0] - 1))
    # Blocks without a pixel of their own (narrower than one pixel) are not counted.
    number = np.cumsum(np.isin(np.arange(length), first)) - 1
    # Cubic interpolation reaches two blocks far.
    begin, end = max(number[low] - 2, 0), min(number[high - 1] + 3, len(first))
    places = (number + place - block - 0.5)[low:high] - begin
    return np.append(first, length)[begin : end + 1], places.astype(np.float32)


def _means(
    frame: np.ndarray, mask: np.ndarray, rows: np.ndarray, columns: np.ndarray
) -> np.ndarray:
    def sums(image):
        return np.add.reduceat(np.add.reduceat(image, rows, axis=0), columns, axis=1)

    values = np.dstack([frame, np.ones_like(mask)]).astype(np.float32)
    masked = values * mask[..., None]
    total, covered = sums(values), sums(masked)
    total = np.where(covered[..., 3:] > 0, covered, total)
    return total[..., :3] / total[..., 3:]
