"""How well mosaics are found: drawn on clean video, encoded, and looked for.

    python benchmarks/find_mosaic.py [--videos FILE ...]

Mosaics of several block sizes, kinds and motions are drawn on stretches of the videos (the sample
videos unless given) and encoded with x264 at several qualities. Printed are, by block size and crf:
intersection over union with the pixels of which the mosaic makes up at least half; the share of
clips whose block size is within 3 %, and whose grid is within one pixel, of the truth; then which
share of the frames of clean video, encoded at the same qualities and at a low one, gives a region;
then x265 and rescaled video; and frames a second at 1280x720 in one thread.
"""

import argparse
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from lada.mosaic import MosaicLook, draw_mosaic
from lada.mosaic.find import find_mosaics, mask_of
from lada.video import count_frames, iter_frames, read_frames, write_video

SAMPLES = Path(__file__).resolve().parents[1] / 'assets' / 'sample_videos'
MOTIONS = ('static', 'over', 'with')
MODS = ('squa_avg', 'squa_mid', 'rect_avg')


class Truth(NamedTuple):
    """What was drawn: ``masks`` (T, H, W) bool, block height and width in pixels, and a corner of
    the grid in every frame, (T, 2) y, x.
    """

    masks: np.ndarray
    block: tuple[float, float]
    corners: np.ndarray


class Scores(NamedTuple):
    """How well a clip's mosaic was found."""

    iou: float
    """Mean over its frames."""
    size_error: float
    """Of the median block size, as a fraction, the larger of height and width; inf: not found."""
    grid_error: float
    """Median over the frames, in pixels, at the middle of the region."""


def mosaicked(frames, block, motion, rng):
    """Draw a mosaic on frames; returns them and the :class:`Truth`.

    An ellipse or a rectangle, at least seven blocks across, that stands still (``static``), moves
    over a grid that stands still (``over``) or carries its grid along (``with``); half of them are
    feathered.
    """
    count, height, width = frames.shape[:3]
    mod = MODS[rng.integers(3)]
    look = MosaicLook(
        mod,
        block,
        rect_ratio=1.5 if mod == 'rect_avg' else 1.0,
        feather_size=-1 if rng.random() < 0.5 else 0,
    )
    shape = np.array(look.block_shape)
    size = np.maximum(rng.uniform(0.25, 0.5, 2) * min(height, width), 7 * shape)
    size = np.minimum(size, 0.8 * np.array([height, width]))
    low, high = size / 2, np.array([height, width]) - size / 2
    start = rng.uniform(low, high)
    speed = 0.004 * min(height, width) if motion != 'static' else 0
    # Reflected at the borders.
    span = high - low
    path = start + rng.uniform(-speed, speed, 2) * np.arange(count)[:, None]
    path = low + span - np.abs((path - low) % (2 * span) - span)
    corner = rng.integers(0, shape)
    masks, pads = np.zeros((count, height, width), np.uint8), np.zeros((count, 4), int)
    ellipse = rng.random() < 0.5
    for t, centre in enumerate(np.rint(path).astype(int)):
        if ellipse:
            axes = int(size[1] / 2), int(size[0] / 2)
            cv2.ellipse(masks[t], (int(centre[1]), int(centre[0])), axes, 0, 0, 360, 255, -1)
        else:
            top, left = np.maximum(centre - (size / 2).astype(int), 0)
            masks[t, top : top + int(size[0]), left : left + int(size[1])] = 255
        offset = corner if motion != 'with' else corner + centre - np.rint(path[0]).astype(int)
        pads[t, 0], pads[t, 2] = offset % shape
    drawn, covered = draw_mosaic(frames, masks, look, pads)
    if look.feather_size == 0:
        covered &= np.stack([cv2.blur(mask, (block, block)) for mask in masks]) >> 7 << 7
    return drawn, Truth(covered >= 128, look.block_shape, pads[:, [0, 2]].astype(float))


def encoded(frames, codec, crf):
    """Return luma planes (T, H, W) of frames after an encoder at its usual settings."""
    options = {'crf': str(crf)}
    if codec == 'libx265':
        options['x265-params'] = 'log-level=error:pools=none'
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'clip.mp4'
        write_video(path, frames, 25, codec=codec, options=options)
        return read_frames(path, gray=True)


def scores(found, truth):
    """Return the :class:`Scores` of what was found in the frames of a clip."""
    ious, sizes, grids = [], [], []
    for regions, mask, corner in zip(found, truth.masks, truth.corners, strict=True):
        guess = mask_of(regions, mask.shape)
        either = np.count_nonzero(guess | mask)
        ious.append(np.count_nonzero(guess & mask) / either if either else 1.0)
        if not regions:
            continue
        region = max(regions, key=lambda each: np.count_nonzero(each.mask))
        sizes.append(np.array(region.block_size) / truth.block - 1)
        block, middle = np.array(region.block_size), np.array(region.box).reshape(2, 2).mean(0)
        line = region.origin + np.rint((middle - region.origin) / block) * block
        off = (line - corner) / truth.block
        grids.append(float((np.abs(off - np.rint(off)) * truth.block).max()))
    if not sizes:
        return Scores(float(np.mean(ious)), np.inf, np.inf)
    size = float(np.abs(np.median(sizes, axis=0)).max())
    return Scores(float(np.mean(ious)), size, float(np.median(grids)))


def resized(lumas, truth, factor):
    """Return planes and truth at another size."""
    height, width = (round(side * factor / 2) * 2 for side in lumas.shape[1:])
    ratio = np.array([height / lumas.shape[1], width / lumas.shape[2]])
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    small = np.stack([cv2.resize(luma, (width, height), interpolation=method) for luma in lumas])
    masks = np.stack(
        [
            cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA) > 0.5
            for mask in truth.masks
        ]
    )
    return small, Truth(masks, tuple(truth.block * ratio), truth.corners * ratio)


def row(name, results):
    results = np.array(results)
    return (
        f'| {name} | {results[:, 0].mean():.3f} | {np.mean(results[:, 1] <= 0.03):.0%}'
        f' | {np.mean(results[:, 2] <= 1):.0%} | {len(results)} |'
    )


def drawn_clips(args):
    """Yield the name, the frames and the truth of every clip."""
    for path in args.videos:
        total = count_frames(path)
        for block in args.blocks:
            for which, motion in enumerate(MOTIONS):
                rng = np.random.default_rng([args.seed, block, which, len(path.name)])
                count = min(args.frames, total)
                start = int(rng.integers(0, total - count + 1))
                clip = read_frames(path, start, start + count)
                yield block, motion, path.name, *mosaicked(clip, block, motion, rng)


def clean_share(lumas):
    """Return how many of these frames give a region, and how many there are."""
    found = [bool(regions) for regions in find_mosaics(lumas)]
    return sum(found), len(found)


def print_tables(args):
    table, others = defaultdict(list), defaultdict(list)
    for block, motion, name, frames, truth in drawn_clips(args):
        for crf in args.crfs:
            lumas = encoded(frames, 'libx264', crf)
            result = scores(find_mosaics(lumas), truth)
            for key in ((block, crf), (block, 'all'), ('all', crf), ('all', 'all')):
                table[key].append(result)
            others[motion].append(result)
            others[name].append(result)
            if args.each:
                print(name, block, motion, crf, *(f'{value:.3f}' for value in result), flush=True)
        if args.only == 'x264' or block not in args.blocks[::2]:
            continue
        result = scores(find_mosaics(encoded(frames, 'libx265', 24)), truth)
        others['x265 crf 24'].append(result)
        for factor in (0.75, 1.3):
            small = resized(encoded(frames, 'libx264', 18), truth, factor)
            again = encoded(small[0], 'libx264', 23)
            others[f'x264, × {factor}, x264 crf 23'].append(scores(find_mosaics(again), small[1]))
    print(
        '| block, crf | IoU | size within 3 % | grid within 1 px | clips |\n|---|---|---|---|---|'
    )
    for block in (*args.blocks, 'all'):
        for crf in (*args.crfs, 'all'):
            print(row(f'{block}, {crf}', table[block, crf]))
    for name, results in others.items():
        print(row(name, results))


def print_clean(args):
    print('\n| clean video | frames with a region |\n|---|---|')
    for path in args.videos:
        frames = read_frames(path, 0, min(count_frames(path), 250))
        for crf in (None, *args.crfs, 40):
            lumas = read_frames(path, gray=True) if crf is None else encoded(frames, 'libx264', crf)
            wrong, count = clean_share(lumas)
            label = path.name if crf is None else f'{path.name}, crf {crf}'
            print(f'| {label} | {wrong} of {count} |', flush=True)


def print_speed(args):
    """The videos as they are, and with a mosaic that moves; decoding included."""
    for path in args.videos:
        frames = read_frames(path, 0, min(count_frames(path), 96))
        drawn, _ = mosaicked(frames, 12, 'with', np.random.default_rng(args.seed))
        with tempfile.TemporaryDirectory() as folder:
            marked = Path(folder) / 'clip.mp4'
            write_video(marked, drawn, 25)
            for name, each in ((path.name, path), (f'{path.name} with a mosaic', marked)):
                began, busy = time.perf_counter(), time.process_time()
                count = sum(1 for _ in find_mosaics(iter_frames(each, gray=True)))
                seconds, busy = time.perf_counter() - began, time.process_time() - busy
                print(
                    f'{name}, {frames.shape[2]}x{frames.shape[1]}: {count / seconds:.1f} frames/s,'
                    f' {count / busy:.1f} a second of processor time'
                )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        '--videos', type=Path, nargs='+', default=sorted(SAMPLES.glob('*.mp4')), metavar='FILE'
    )
    parser.add_argument('--blocks', type=int, nargs='+', default=[6, 8, 10, 12, 16, 20, 24])
    parser.add_argument('--crfs', type=int, nargs='+', default=[18, 23, 28])
    parser.add_argument('--frames', type=int, default=24, help='of a clip')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--each', action='store_true', help='print every clip')
    parser.add_argument('--only', choices=['x264', 'clean', 'speed'], help='one part of it')
    args = parser.parse_args()
    cv2.setNumThreads(1)
    for part, run in (('x264', print_tables), ('clean', print_clean), ('speed', print_speed)):
        if args.only in (None, part):
            run(args)


if __name__ == '__main__':
    main()
