"""Drawing a mosaic onto a clip."""

from typing import NamedTuple

import cv2
import numpy as np

from lada.mosaic.look import MosaicLook

# As public Lada: a mosaic of fewer rows or columns of blocks keeps hard edges.
_MIN_FEATHERED_SPAN = 5


class _Content(NamedTuple):
    """Where the unpadded content of each frame lies, arrays of length T."""

    top: np.ndarray
    left: np.ndarray
    height: np.ndarray
    width: np.ndarray


def draw_mosaic(
        frames: np.ndarray, masks: np.ndarray, look: MosaicLook,
        pads: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return ``frames`` with the blocks under ``masks`` replaced, and the masks of these blocks.

    Args:
        frames: (T, H, W, 3) uint8. masks: (T, H, W) uint8, 0 or 255. A block is drawn if the mask is set at
        its centre pixel (moved into the
            content where the block is cut off).
        look: size and kind of the blocks, feathering. pads: (T, 4) [top, bottom, left, right]; the blocks
        start at the top left of what they leave and end at its
            edge. A block cut off there is the mean of the pixels it has.

    Means are rounded to nearest, halves up. With feathering, out = (1 - a) * frame + a * block inside drawn
    blocks, rounded to nearest, where a is the input mask box-blurred within the content and rounded to
    1/255; only in frames whose drawn blocks span more than four rows and four columns.
    """
    content = _content(frames.shape, pads)
    block_h, block_w = look.block_shape
    drawn, centre_y, centre_x = _drawn_blocks(masks, content, block_h, block_w)
    out, out_masks = frames.copy(), np.zeros_like(masks)
    if not drawn.any():
        return out, out_masks

    # Work only on the rows and columns of blocks in which anything is drawn, all frames aligned to their own grid.
    rows, columns = _span(drawn.any(axis=(0, 2))), _span(drawn.any(axis=(0, 1)))
    drawn = drawn[:, rows, columns]
    if look.mod == 'squa_mid':
        index = np.arange(len(frames))[:, None, None]
        values = frames[index, centre_y[:, rows, None], centre_x[:, None, columns]]
    windows = _windows(content, rows, columns, block_h, block_w)
    aligned = _gather(frames, windows, (drawn.shape[1] * block_h, drawn.shape[2] * block_w))
    if look.mod != 'squa_mid':
        values = _block_means(aligned, drawn.shape, content, rows, columns, block_h, block_w)

    # One line of pixels per row of blocks; the blocks' height is broadcasting.
    covered = np.where(drawn, np.uint8(255), np.uint8(0))
    line_mask = np.repeat(covered, block_w, axis=2)
    line = np.repeat(values & covered[..., None], block_w, axis=2)
    tall = aligned.reshape(len(frames), drawn.shape[1], block_h, -1)
    tall &= ~np.repeat(line_mask, 3, axis=2)[:, :, None]
    tall |= line.reshape(len(frames), drawn.shape[1], 1, -1)
    block_masks = np.repeat(line_mask, block_h, axis=1)

    feather = look.feather_size or look.block_size
    for t, (y, x, height, width) in enumerate(windows):
        window = slice(y, y + height), slice(x, x + width)
        mosaic = aligned[t, :height, :width]
        if look.feather_size >= 0 and _wide_enough(drawn[t]):
            alpha = _blurred(masks[t], content, t, feather, windows[t])
            mosaic = _blend(frames[t][window], mosaic, alpha)
        out[t][window] = mosaic
        out_masks[t][window] = block_masks[t, :height, :width]
    return out, out_masks


def _content(shape: tuple[int, ...], pads: np.ndarray | None) -> _Content:
    count, height, width = shape[:3]
    pads = np.zeros((count, 4), np.int64) if pads is None else np.asarray(pads, dtype=np.int64)
    if pads.shape != (count, 4):
        raise ValueError(f'pads of shape {pads.shape} for {count} frames, not ({count}, 4)')
    top, bottom, left, right = pads.T
    content = _Content(top, left, height - top - bottom, width - left - right)
    if (pads < 0).any() or (content.height < 1).any() or (content.width < 1).any():
        raise ValueError(f'pads leave nothing of frames of {width}x{height}')
    return content


def _drawn_blocks(masks, content, block_h, block_w):
    """Return drawn (T, R, C) and the absolute centre rows (T, R) and columns (T, C) of all blocks."""
    starts_y = np.arange(0, content.height.max(), block_h)
    starts_x = np.arange(0, content.width.max(), block_w)
    height, width = content.height[:, None], content.width[:, None]
    centre_y = content.top[:, None] + np.minimum(starts_y + block_h // 2, height - 1)
    centre_x = content.left[:, None] + np.minimum(starts_x + block_w // 2, width - 1)
    frame = np.arange(len(masks))[:, None, None]
    drawn = masks[frame, centre_y[:, :, None], centre_x[:, None, :]] != 0
    drawn &= (starts_y < height)[:, :, None] & (starts_x < width)[:, None, :]
    return drawn, centre_y, centre_x


def _span(used: np.ndarray) -> slice:
    where = np.flatnonzero(used)
    return slice(int(where[0]), int(where[-1]) + 1)


def _wide_enough(drawn: np.ndarray) -> bool:
    if not drawn.any():
        return False
    spans = (_span(drawn.any(axis=axis)) for axis in (0, 1))
    return all(span.stop - span.start >= _MIN_FEATHERED_SPAN for span in spans)


def _windows(content, rows, columns, block_h, block_w) -> list[tuple[int, int, int, int]]:
    """For each frame (y, x, height, width) of the pixels that exist in the given rows and columns of blocks."""
    first_y, first_x = rows.start * block_h, columns.start * block_w
    height = np.clip(content.height - first_y, 0, (rows.stop - rows.start) * block_h)
    width = np.clip(content.width - first_x, 0, (columns.stop - columns.start) * block_w)
    return np.stack([content.top + first_y, content.left + first_x, height, width], axis=1).tolist()


def _gather(frames, windows, shape) -> np.ndarray:
    """Copy the windows to the top left of (T, *shape, 3) zeros."""
    complete = all((height, width) == shape for _, _, height, width in windows)
    aligned = (np.empty if complete else np.zeros)((len(frames), *shape, 3), np.uint8)
    for t, (y, x, height, width) in enumerate(windows):
        aligned[t, :height, :width] = frames[t, y:y + height, x:x + width]
    return aligned


def _block_means(aligned, shape, content, rows, columns, block_h, block_w) -> np.ndarray:
    """Return the (T, R, C, 3) uint8 means over the pixels each block has."""
    frames, row_count, column_count = shape
    # Sums over the height of a block fit 16 bits up to 257 rows.
    narrow = np.uint16 if block_h <= 257 else np.uint32
    lines = aligned.reshape(frames, row_count, block_h, -1).sum(axis=2, dtype=narrow)
    sums = lines.reshape(frames, row_count, column_count, block_w, 3).sum(axis=3, dtype=np.int64)
    starts_y = np.arange(rows.start, rows.stop) * block_h
    starts_x = np.arange(columns.start, columns.stop) * block_w
    heights = np.clip(content.height[:, None] - starts_y, 0, block_h)
    widths = np.clip(content.width[:, None] - starts_x, 0, block_w)
    counts = np.maximum(heights[:, :, None] * widths[:, None, :], 1)[..., None]
    return ((2 * sums + counts) // (2 * counts)).astype(np.uint8)


def _blurred(mask, content, t, size, window) -> np.ndarray:
    """Return the mask, box-blurred within the content of frame ``t``, in a window (y, x, height, width)."""
    top, left, content_height, content_width = (int(values[t]) for values in content)
    y, x, height, width = window
    # The blur looks this far around a pixel; the mask beyond does not matter.
    first_y, first_x = max(y - size, top), max(x - size, left)
    last_y, last_x = min(y + height + size, top + content_height), min(x + width + size, left + content_width)
    blurred = cv2.blur(mask[first_y:last_y, first_x:last_x], (size, size))
    return blurred[y - first_y:y - first_y + height, x - first_x:x - first_x + width]


def _blend(frame: np.ndarray, mosaic: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Return round(((255 - alpha) * frame + alpha * mosaic) / 255), exactly, in 16-bit arithmetic."""
    weight = cv2.merge((alpha, alpha, alpha)).astype(np.uint16)
    total = mosaic * weight
    np.subtract(255, weight, out=weight)
    weight *= frame
    total += weight
    total += 128
    total += total >> 8
    total >>= 8
    return total.astype(np.uint8)
