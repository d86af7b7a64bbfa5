"""Drawing a mosaic onto a clip."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from lada.mosaic.grid import Axis, ResizedAxis, resized_axis
from lada.mosaic.look import MosaicLook

# As public Lada: a mosaic of fewer rows or columns of blocks keeps hard edges.
_MIN_FEATHERED_SPAN = 5
_SMALLEST_AREA = 1e-6
_DRAWN_TOGETHER = 5
Run = tuple[slice, slice]


def draw_mosaic(
    frames: np.ndarray,
    masks: np.ndarray,
    look: MosaicLook,
    pads: np.ndarray | None = None,
    *,
    own_masks: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the clip with the blocks under ``masks`` replaced, and the masks of these blocks.

    Args:
        frames: (T, h, w, 3) uint8, the clip as it is or resized.
        masks: (T, h, w) uint8, 0 or 255.
        look: size and kind of the blocks, feathering.
        pads: (T, 4) [top, bottom, left, right]; the blocks start at the top left of what they leave
            and end at its edge. A block cut off there is the mean of the pixels it has.
        own_masks: the masks before ``frames`` were resized, (T, H, W), in whose pixels ``look`` and
            ``pads`` are; ``masks`` unless given. A block is drawn if this mask is set at its centre
            pixel (moved into the content where the block is cut off).

    On a resized clip the mosaic is drawn as if it had been drawn before and resized with it, but
    for what resizing takes away from the frames: a block may end within a pixel, which counts for
    its mean, shows its colour, and belongs to the returned mask, by the share that lies in it (to
    the mask from one half on). Means are rounded to nearest, halves up. With feathering, out = (1 -
    a) * frame + a * block inside drawn blocks, rounded to nearest, where a is the input mask
    box-blurred within the content and rounded to 1/255; only in frames whose drawn blocks span more
    than four rows and four columns.
    """
    own_masks = masks if own_masks is None else own_masks
    size, own_size = frames.shape[1:3], own_masks.shape[1:]
    out, out_masks = frames.copy(), np.zeros_like(masks)
    feather = look.feather_size or look.block_size
    box = tuple(max(1, round(feather * new / old)) for new, old in zip(size, own_size, strict=True))
    for axes, group in _groups(own_masks.shape, pads, look.block_shape).items():
        drawn = own_masks[np.ix_(np.array(group), axes[0].centres(), axes[1].centres())] != 0
        if not drawn.any():
            continue
        down, across = (resized_axis(axis, length) for axis, length in zip(axes, size, strict=True))
        runs = [run if _is_seen(run, down, across) else None for run in _spans(drawn)]
        for part in _parts(runs, look.feather_size >= 0):
            indices, part_runs = zip(*part, strict=True)
            numbers = [group[i] for i in indices]
            rows, columns = (_hull([run[side] for run in part_runs]) for side in (0, 1))
            window = down.window(rows), across.window(columns)
            blocks = _blocks(frames, numbers, look.mod, down, across, (rows, columns))
            blocks.view(np.uint32)[..., 0] *= drawn[indices[0] : indices[-1] + 1, rows, columns]
            shown = down.fill(across.fill(blocks, columns, 2), rows, 1)
            alpha = None
            if look.feather_size >= 0 and _is_feathered(part_runs[0]):
                contents = down.content, across.content
                alpha = np.stack([_blurred(masks[t], contents, box, window) for t in numbers])
            pictures = shown.reshape(-1, *shown.shape[2:])
            share = cv2.extractChannel(pictures, 3).reshape(shown.shape[:3])
            mosaic = cv2.cvtColor(pictures, cv2.COLOR_RGBA2RGB).reshape(*shown.shape[:3], 3)
            _blend(out, numbers, window, mosaic, share, alpha)
            covered = cv2.threshold(share.reshape(len(pictures), -1), 127, 255, cv2.THRESH_BINARY)
            for t, mask in zip(numbers, covered[1].reshape(share.shape), strict=True):
                out_masks[t][window] = mask
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


def _spans(drawn: np.ndarray) -> list[Run | None]:
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


def _is_seen(run: Run | None, down: ResizedAxis, across: ResizedAxis) -> bool:
    """Tell whether anything of a run is left beside the padding once it is resized."""
    if run is None:
        return False
    seen = [axis.seen(blocks) for axis, blocks in zip((down, across), run, strict=True)]
    return all(pixels.start < pixels.stop for pixels in seen)


def _is_feathered(run: Run) -> bool:
    return min(span.stop - span.start for span in run) >= _MIN_FEATHERED_SPAN


def _parts(runs: Sequence[Run | None], feathered: bool) -> Iterator[list[tuple[int, Run]]]:
    """Yield frames with blocks that follow each other, and their runs: all or none of them
    feathered, and few enough for the caches.
    """
    part: list[tuple[int, Run]] = []
    for i, run in enumerate(runs):
        if part and (
            run is None
            or len(part) == _DRAWN_TOGETHER
            or (feathered and _is_feathered(run) != _is_feathered(part[0][1]))
        ):
            yield part
            part = []
        if run is not None:
            part.append((i, run))
    if part:
        yield part


def _hull(spans: Sequence[slice]) -> slice:
    return slice(min(span.start for span in spans), max(span.stop for span in spans))


def _blocks(
    frames: np.ndarray,
    numbers: Sequence[int],
    mod: str,
    down: ResizedAxis,
    across: ResizedAxis,
    run: Run,
) -> np.ndarray:
    """Return red, green, blue and 255 of all blocks of a run, (N, R, C, 4) uint8."""
    spans = [span.stop - span.start for span in run]
    blocks: np.ndarray = np.full((len(numbers), *spans, 4), 255, np.uint8)
    if mod == 'squa_mid':
        centres = np.ix_(np.array(numbers), down.centres[run[0]], across.centres[run[1]])
        blocks[..., :3] = frames[centres]
    else:
        blocks[..., :3] = _block_means(
            frames, numbers, down.edges_of(run[0]), across.edges_of(run[1])
        )
    return blocks


def _block_means(
    frames: np.ndarray, numbers: Sequence[int], rows: np.ndarray, columns: np.ndarray
) -> np.ndarray:
    """Return the (N, R, C, 3) means, halves rounded up, between R + 1 rows and C + 1 columns, which
    may lie within pixels.
    """
    top, left = int(rows[0]), int(columns[0])
    bottom, right = math.ceil(rows[-1]), math.ceil(columns[-1])
    sums = np.empty((len(numbers), bottom - top + 1, right - left + 1, 3), np.int32)
    for t, total in zip(numbers, sums, strict=True):
        cv2.integral(frames[t, top:bottom, left:right], total, cv2.CV_32S)
    # Within a pixel the integral grows evenly.
    sums = _between(sums, rows - top, 1)
    sums = _between(sums[:, 1:] - sums[:, :-1], columns - left, 2)
    # A block without a pixel is not seen.
    areas = np.maximum(np.outer(np.diff(rows), np.diff(columns)), _SMALLEST_AREA)
    return (sums[:, :, 1:] - sums[:, :, :-1]) / areas[..., None] + 0.5


def _between(lines: np.ndarray, places: np.ndarray, axis: int) -> np.ndarray:
    """Return lines at fractional places along an axis, interpolated linearly."""
    below = places.astype(int)
    parts = places - below
    found = lines.take(below, axis)
    if not parts.any():
        return found
    above = lines.take(np.minimum(below + 1, lines.shape[axis] - 1), axis)
    return found + (above - found) * parts.reshape(-1, *[1] * (lines.ndim - 1 - axis))


def _blurred(
    mask: np.ndarray,
    content: tuple[slice, slice],
    box: tuple[int, ...],
    window: tuple[slice, slice],
) -> np.ndarray:
    """Return a window of the mask, box-blurred within the content."""
    # The blur looks this far around a pixel; the mask beyond does not matter.
    near = tuple(
        slice(max(part.start - reach, inside.start), min(part.stop + reach, inside.stop))
        for inside, reach, part in zip(content, box, window, strict=True)
    )
    blurred = cv2.blur(mask[near], box[::-1])
    return blurred[
        tuple(
            slice(part.start - around.start, part.stop - around.start)
            for part, around in zip(window, near, strict=True)
        )
    ]


def _blend(
    out: np.ndarray,
    numbers: Sequence[int],
    window: tuple[slice, slice],
    mosaic: np.ndarray,
    share: np.ndarray,
    alpha: np.ndarray | None,
) -> None:
    """Replace a window of the frames ``numbers`` by alpha * mosaic + (1 - alpha * share) * frame,
    in 16-bit arithmetic, rounded to nearest.

    ``mosaic`` (N, h, w, 3) is multiplied by its ``share`` already. ``alpha`` and ``share``,
    (N, h, w), are in 1/255, alpha 255 unless given.
    """
    targets = [out[t][window] for t in numbers]
    if alpha is None:
        partly = np.flatnonzero(share - np.uint8(1) < 254)
        if len(partly):
            there = np.stack(targets).reshape(-1, 3)[partly]
            kept = (255 - share.reshape(-1)[partly]).astype(np.uint16)
            mosaic.reshape(-1, 3)[partly] += _by_255(there * kept[:, None])
        for target, picture, mask in zip(targets, mosaic, share, strict=True):
            cv2.copyTo(picture, mask, target)
        return
    for target, picture, soft, part in zip(targets, mosaic, alpha, share, strict=True):
        total = cv2.merge((soft, soft, soft)) * picture.astype(np.uint16)
        rest = 255 - _by_255(part * soft.astype(np.uint16))
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
