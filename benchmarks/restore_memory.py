#!/usr/bin/env python3
"""Restoring a long video: resident memory after each window, and what must stay equal.

    python benchmarks/restore_memory.py --frames 3000

A video is made of the two sample videos, again and again, with a mask that moves and changes its
size, and restored with a small, untrained network. Printed: resident memory (Linux) after and
during each window of frames, frame count and timestamps against the input's, and whether every
sample outside the mask went to the encoder as the decoder gave it. Exits 1 where something differs,
or where memory grows beyond the first window's by more than --tolerance.
"""

import argparse
import multiprocessing
import os
import sys
import tempfile
import zlib
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path

import av
import cv2
import numpy as np
import torch

from lada.inference.restore import Restorer
from lada.inference.restore_video import restore_video
from lada.models import BasicVSRPlusPlusNet
from lada.video import VideoRewriter, VideoWriter, iter_frames

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = [ROOT / 'assets/sample_videos' / name for name in ('bikes.mp4', 'bigbuckbunny.mp4')]
WIDTH, HEIGHT = 640, 360


def resident() -> float:
    """Return the process's resident memory in MiB."""
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    return pages * os.sysconf('SC_PAGE_SIZE') / 2**20


def peak() -> float:
    """Return the most memory that was resident, in MiB."""
    line = next(
        line
        for line in Path('/proc/self/status').read_text().splitlines()
        if line.startswith('VmHWM')
    )
    return int(line.split()[1]) / 1024


def make_video(path: Path, frames: int) -> None:
    with VideoWriter(path, Fraction(24), options={'preset': 'veryfast', 'crf': '18'}) as writer:
        pictures = (frame for sample in cycle(SAMPLES) for frame in iter_frames(sample))
        for frame in islice(pictures, frames):
            writer.write(cv2.resize(frame, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA))


def moving_masks():
    """Yield masks (H, W) bool of an ellipse that wanders and breathes; every fourth stretch of 100
    frames has none.
    """
    number = 0
    while True:
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        if number // 100 % 4 != 3:
            x, y = WIDTH / 2 + 180 * np.sin(number / 71), HEIGHT / 2 + 80 * np.cos(number / 53)
            size = 45 + 20 * np.sin(number / 97)
            cv2.ellipse(
                mask, (round(x), round(y)), (round(1.3 * size), round(size)), 0, 0, 360, 1, -1
            )
        yield mask != 0
        number += 1


def untouched(planes: list[np.ndarray], mask: np.ndarray) -> int:
    """Return a checksum of the samples that colour no masked pixel (4:2:0)."""
    chroma = mask.reshape(HEIGHT // 2, 2, WIDTH // 2, 2).any(axis=(1, 3))
    value = 0
    for plane, touched in zip(planes, (mask, chroma, chroma), strict=True):
        value = zlib.crc32(plane[~touched].tobytes(), value)
    return value


class Watched(Restorer):
    """Prints memory when a window is done: restored, written, and the next one decoded."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.memory: list[float] = []
        self.peaks: list[float] = []
        self.frames = 0

    def run(self, items):
        yield from super().run(items)
        self._note()

    def _restore(self, items, shared):
        if self.frames:
            self._note()
        self.frames = len(items)
        Path('/proc/self/clear_refs').write_text('5')  # the peak counts from here
        super()._restore(items, shared)

    def _note(self):
        self.memory.append(resident())
        self.peaks.append(peak())
        print(
            f'window {len(self.memory)}: {self.frames} frames, {self.memory[-1]:.0f} MiB, at most '
            f'{self.peaks[-1]:.0f} MiB during it',
            flush=True,
        )


class WatchedRewriter(VideoRewriter):
    """Remembers what goes to the encoder."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.checksums: list[int] = []
        self._masks = moving_masks()

    def write(self, picture, original=None):
        self.checksums.append(untouched(picture.planes, next(self._masks)))
        super().write(picture, original)


def times(path: Path) -> list[tuple]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return [frame.pts * stream.time_base for frame in container.decode(stream)]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--frames', type=int, default=3000)
    parser.add_argument('--window', type=int, default=30)
    parser.add_argument('--tolerance', type=float, default=0.05)
    args = parser.parse_args()
    network = BasicVSRPlusPlusNet(mid_channels=8, num_blocks=1, is_low_res_input=False).eval()
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, 'in.mp4'), Path(folder, 'out.mp4')
        # In a process of its own, so that its memory does not count.
        maker = multiprocessing.get_context('spawn').Process(
            target=make_video, args=(source, args.frames)
        )
        maker.start()
        maker.join()
        print(f'{args.frames} frames of {WIDTH}x{HEIGHT}; before: {resident():.0f} MiB', flush=True)
        restorer = Watched(network, torch.device('cpu'), window=args.window)
        with WatchedRewriter(source, target) as rewriter:
            summary = restore_video(rewriter, restorer, moving_masks(), total=args.frames)
        first, *rest = restorer.memory
        print(
            f'{summary.frames} frames in {summary.seconds:.0f} s; first window {first:.0f} MiB,'
            f' then {min(rest):.0f} to {max(rest):.0f} ({max(rest) / first - 1:+.1%}); during'
            f' windows at most {restorer.peaks[0]:.0f}, then {max(restorer.peaks[1:]):.0f}'
        )
        wrong = []
        if max(rest) > first * (1 + args.tolerance):
            wrong.append('memory grew')
        if times(source) != times(target) or summary.frames != args.frames:
            wrong.append('frame count or timestamps differ')
        with av.open(str(source)) as container:
            decoded = container.decode(video=0)
            planes = (
                [
                    np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[
                        :, : plane.width
                    ]
                    for plane in frame.planes
                ]
                for frame in decoded
            )
            checksums = [
                untouched(frame, mask) for frame, mask in zip(planes, moving_masks(), strict=False)
            ]
        if checksums != rewriter.checksums:
            wrong.append('samples outside the mask changed before encoding')
        print(
            '; '.join(wrong)
            or f'frame count and timestamps equal; all {len(checksums)} frames bit-equal '
            'outside the mask before encoding'
        )
        sys.exit(bool(wrong))


if __name__ == '__main__':
    main()
