"""Drawing a mosaic onto a clip."""

from collections import defaultdict

import cv2
import numpy as np

from lada.mosaic.grid import Axis, ResizedAxis, inside, resized_axis
from lada.mosaic.look import MosaicLook

# As public Lada: a mosaic of fewer rows or columns of blocks keeps hard edges.
_MIN_FEATHERED_SPAN = 5


def draw_mosaic(
    frames: np.ndarray,
    masks: np.ndarray,
    look: MosaicLook,
    pads: np.ndarray | None = None,
    *,
    onto: tuple[np.ndarray, np.ndarray] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the clip with the blocks under ``masks`` replaced, and the masks of these blocks.

    Args:
        frames: (T, H, W, 3) uint8.
        masks: (T, H, W) uint8, 0 or 255. A block is drawn if the mask is set at its centre pixel
            (moved into the content where the block is cut off).
        look: size and kind of the blocks, feathering.
        pads: (T, 4) [top, bottom, left, right]; the blocks start at the top left of what they leave
            and end at its edge. A block cut off there is the mean of the pixels it has.
        onto: ``frames`` and ``masks`` resized, (T, h, w, 3) and (T, h, w). The mosaic is drawn on a
            copy of these as if it had been drawn on ``frames`` and resized with them: a pixel on
            the edge of a block shows a share of it, and belongs to the returned mask from one half
            on. Default: ``frames`` and ``masks``.

    Means are over pixels of ``frames``, rounded to nearest, halves up. With feathering, out = (1 -
    a) * frame + a * block inside drawn blocks, rounded to nearest, where a is the input mask
    box-blurred within the content and rounded to 1/255; only in frames whose drawn blocks span more
    than four rows and four columns.
    """
    frames_onto, masks_onto = onto or (frames, masks)
    size = frames_onto.shape[1:3]
    out, out_masks = frames_onto.copy(), np.zeros_like(masks_onto)
    feather = look.feather_size or look.block_size
    box = (
        max(1, round(feather * size[0] / frames.shape[1])),
        max(1, round(feather * size[1] / frames.shape[2])),
    )
    for axes, group in _groups(frames.shape, pads, look.block_shape).items():
        centres = np.ix_(np.array(group), axes[0].centres(), axes[1].centres())
        drawn = masks[centres] != 0
        if not drawn.any():
            continue
        runs = _spans(drawn)
        # Red, green, blue and 255 of drawn blocks, and zeros of the others.
        blocks: np.ndarray = np.full((*drawn.shape, 4), 255, np.uint8)
        if look.mod == 'squa_mid':
            blocks[..., :3] = frames[centres]
        else:
            for t, run, values in zip(group, runs, blocks, strict=True):
                if run:
                    values[*run, :3] = _block_means(frames[t], axes, run)
        blocks.view(np.uint32)[..., 0] *= drawn
        down, across = (resized_axis(axis, length) for axis, length in zip(axes, size, strict=True))
        for t, run, lines in zip(group, runs, _widened(blocks, across), strict=True):
            if not run:
                continue
            rows, columns = down.seen(run[0]), across.seen(run[1])
            if rows.start >= rows.stop or columns.start >= columns.stop:
                continue  # resized, nothing is left beside the padding
            lines = lines[run[0], columns]
            pixels = down.fill(lines.reshape(len(lines), -1), run[0]).reshape(-1, *lines.shape[1:])
            window = (
                slice(down.start + rows.start, down.start + rows.stop),
                slice(across.start + columns.start, across.start + columns.stop),
            )
            alpha = None
            if (
                look.feather_size >= 0
                and min(span.stop - span.start for span in run) >= _MIN_FEATHERED_SPAN
            ):
                alpha = _blurred(masks_onto[t], axes, box, window)
            share = cv2.extractChannel(pixels, 3)
            _blend(out[t][window], cv2.cvtColor(pixels, cv2.COLOR_RGBA2RGB), share, alpha)
            out_masks[t][window] = cv2.threshold(share, 127, 255, cv2.THRESH_BINARY)[1]
    return out, out_masks


def _groups(
    shape: tuple[int, ...], pads: np.ndarray | None, block_shape: tuple[int, int]
) -> dict[tuple[Axis, Axis], list[int]]:
    """Return how blocks lie in the frames, down and across, and for each way the numbers of its
    frames.
    """
    count, height, width = shape[:3]
    pads = np.zeros((count, 4), np.int64) if pads is None else np.asarray(pads, dtype=np.int64)
    if pads.shape != (count, 4):
        raise ValueError(f'pads of shape {pads.shape} for {count} frames, not ({count}, 4)')
    if (
        (pads < 0).any()
        or (pads[:, :2].sum(1) >= height).any()
        or (pads[:, 2:].sum(1) >= width).any()
    ):
        raise ValueError(f'pads leave nothing of frames of {width}x{height}')
    groups = defaultdict(list)
    for t, (top, bottom, left, right) in enumerate(pads.tolist()):
        axes = (
            Axis(top, height - bottom, block_shape[0], height),
            Axis(left, width - right, block_shape[1], width),
        )
        groups[axes].append(t)
    return groups


def _spans(drawn: np.ndarray) -> list[tuple[slice, slice] | None]:
    """Return for each frame of (N, R, C) the rows and the columns from the first to the last with a
    drawn block.
    """
    spans = []
    for used in (np.asarray(drawn.any(axis=2)), np.asarray(drawn.any(axis=1))):
        last = used.shape[1] - used[:, ::-1].argmax(axis=1)
        spans.append(
            [slice(*ends) for ends in zip(used.argmax(axis=1).tolist(), last.tolist(), strict=True)]
        )
    return [
        span if some else None
        for span, some in zip(
            zip(*spans, strict=True), np.asarray(drawn.any(axis=(1, 2))), strict=True
        )
    ]


def _block_means(
    frame: np.ndarray, axes: tuple[Axis, Axis], blocks: tuple[slice, slice]
) -> np.ndarray:
    """Return the (R, C, 3) uint8 means over the pixels each block has."""
    (down, across), (heights, widths) = (
        axes,
        (axis.lengths(run) for axis, run in zip(axes, blocks, strict=True)),
    )
    pixels = frame[down.pixels(blocks[0]), across.pixels(blocks[1])]
    # Sums of bytes fit 16 bits up to 257 rows.
    lines = np.empty(
        (len(heights), *pixels.shape[1:]), np.uint16 if down.block <= 257 else np.uint32
    )
    full = len(pixels) // down.block
    whole = pixels[: full * down.block].reshape(full, down.block, *pixels.shape[1:])
    whole.sum(axis=1, dtype=lines.dtype, out=lines[:full])
    if full < len(lines):
        pixels[full * down.block :].sum(axis=0, dtype=lines.dtype, out=lines[full])
    sums = np.add.reduceat(lines, np.cumsum(widths) - widths, axis=1, dtype=np.int64)
    counts = (heights[:, None] * widths)[..., None]
    return ((2 * sums + counts) // (2 * counts)).astype(np.uint8)


def _widened(blocks: np.ndarray, across: ResizedAxis) -> np.ndarray:
    """Resize rows of blocks, (N, R, C, 4) uint8, across: (N, R, pixels, 4)."""
    n, rows, columns, _ = blocks.shape
    # Four bytes are moved at once.
    lines = np.ascontiguousarray(blocks.view(np.uint32).reshape(-1, columns).T)
    pixels = across.fill(lines.view(np.uint8), slice(0, columns))
    return np.ascontiguousarray(pixels.view(np.uint32).T).view(np.uint8).reshape(n, rows, -1, 4)


def _blurred(
    mask: np.ndarray, axes: tuple[Axis, Axis], box: tuple[int, int], window: tuple[slice, slice]
) -> np.ndarray:
    """Return a window of the mask, box-blurred within the content."""
    # The blur looks this far around a pixel; the mask beyond does not matter.
    near = []
    for axis, length, reach, part in zip(axes, mask.shape, box, window, strict=True):
        content = inside(axis, length)
        near.append(
            slice(max(part.start - reach, content.start), min(part.stop + reach, content.stop))
        )
    blurred = cv2.blur(mask[tuple(near)], box[::-1])
    return blurred[
        tuple(
            slice(part.start - around.start, part.stop - around.start)
            for part, around in zip(window, near, strict=True)
        )
    ]


def _blend(
    target: np.ndarray, mosaic: np.ndarray, share: np.ndarray, alpha: np.ndarray | None
) -> None:
    """Replace ``target`` by alpha * mosaic + (1 - alpha * share) * target, in 16-bit arithmetic,
    rounded to nearest.

    ``mosaic`` is multiplied by its ``share`` already. ``alpha`` and ``share`` are in 1/255, alpha
    255 unless given.
    """
    if alpha is None:
        total = mosaic * np.uint16(255)
    else:
        total = cv2.merge((alpha, alpha, alpha)) * mosaic.astype(np.uint16)
        share = _by_255(share * alpha.astype(np.uint16))
    rest = 255 - share
    total += cv2.merge((rest, rest, rest)) * target.astype(np.uint16)
    target[...] = _by_255(total)


def _by_255(products: np.ndarray) -> np.ndarray:
    """Return round(products / 255) as uint8; ``products``, uint16 up to 255 * 256, are
    overwritten.
    """
    products += 128
    products += products >> 8
    products >>= 8
    return products.astype(np.uint8)
