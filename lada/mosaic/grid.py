"""Where a mosaic's blocks lie along one side of a frame, and what becomes of them when the frame is
resized.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Axis(NamedTuple):
    """Blocks of ``block`` pixels one after the other from ``start`` to ``stop``, where the last one
    may be cut off.

    ``length`` is the frame's side in pixels; what lies outside of the blocks is padding.
    """

    start: int
    stop: int
    block: int
    length: int

    @property
    def count(self) -> int:
        """Number of blocks."""
        return -(-(self.stop - self.start) // self.block)

    def pixels(self, blocks: slice) -> slice:
        """Return the pixels of a run of blocks."""
        return slice(
            self.start + blocks.start * self.block,
            min(self.start + blocks.stop * self.block, self.stop),
        )

    def lengths(self, blocks: slice) -> np.ndarray:
        """Return how many pixels each block of a run has."""
        starts = self.start + self.block * np.arange(blocks.start, blocks.stop)
        return np.minimum(self.block, self.stop - starts)

    def centres(self) -> np.ndarray:
        """Return each block's centre pixel, moved to the last pixel where the block is cut off
        before it.
        """
        return np.minimum(
            self.start + self.block // 2 + self.block * np.arange(self.count), self.stop - 1
        )


class ResizedAxis(NamedTuple):
    """Which blocks fill the pixels of a resized side that no padding touches, see
    :func:`resized_axis`.
    """

    start: int
    """The first of these pixels."""
    first: np.ndarray
    """The first block in each pixel."""
    last: np.ndarray
    """The last block in each pixel."""
    mixed: np.ndarray
    """The pixels with more than one block, counted from ``start``."""
    shares: np.ndarray
    """(N, mixed) float32: what share of these pixels their first block has, the next, and so on to
    the N-th.
    """

    def seen(self, blocks: slice) -> slice:
        """Return the pixels, counted from ``start``, that show any of these ``blocks``."""
        return slice(
            int(self.last.searchsorted(blocks.start)), int(self.first.searchsorted(blocks.stop))
        )

    def fill(self, lines: np.ndarray, blocks: slice) -> np.ndarray:
        """Return what the pixels :meth:`seen` show, (pixels, N) uint8.

        ``lines``: (blocks, N) uint8, what each of these ``blocks`` shows; all others count as 0.
        """
        pixels = self.seen(blocks)
        out = lines.take(self.first[pixels] - blocks.start, axis=0, mode='clip')
        mixed = slice(self.mixed.searchsorted(pixels.start), self.mixed.searchsorted(pixels.stop))
        if mixed.start < mixed.stop:
            which = self.mixed[mixed]
            # Not a product of matrices: the threads of a BLAS would wait for work between these
            # small ones.
            total = np.float32(0.5)
            for number, share in enumerate(self.shares[:, mixed]):
                block = self.first[which] + (number - blocks.start)
                share = np.where((block >= 0) & (block < len(lines)), share, np.float32(0))
                total = total + lines.take(block, axis=0, mode='clip') * share[:, None]
            out[which - pixels.start] = total
        return out


def inside(axis: Axis, length: int) -> slice:
    """Return the pixels of the side resized to ``length`` that no padding touches."""
    return slice(
        -(-axis.start * length // axis.length),
        length + (axis.stop - axis.length) * length // axis.length,
    )


@lru_cache(maxsize=64)
def resized_axis(axis: Axis, length: int) -> ResizedAxis:
    """Resize a side to ``length`` pixels by averaging or linear interpolation.

    Either way a new pixel is the mean over a stretch of the old side: over its own width where the
    side shrinks, and one old pixel wide where it grows.

    Args:
        axis: the side and its blocks.
        length: the side's new length in pixels.
    """
    ratio = axis.length / length
    width = max(1.0, ratio)
    within = inside(axis, length)
    low = (np.arange(length)[within] + 0.5) * ratio - width / 2
    high = low + width
    first = np.clip((low - axis.start) // axis.block, 0, axis.count - 1).astype(int)
    last = np.clip(-((axis.start - high) // axis.block) - 1, 0, axis.count - 1).astype(int)
    mixed = np.flatnonzero(first < last)
    # The first and the last block go on for ever, as the pixels at a border do when a frame is
    # enlarged.
    edges = axis.start + axis.block * np.arange(1.0, axis.count)
    below = np.clip((edges - low[mixed, None]) / width, 0, 1)
    shares = np.diff(below, axis=1, prepend=0, append=1)
    numbers = np.arange(np.max(last - first, initial=0) + 1)[:, None]
    blocks = np.minimum(first[mixed] + numbers, axis.count - 1)
    shares = np.where(
        first[mixed] + numbers <= last[mixed], shares[np.arange(len(mixed)), blocks], 0
    )
    return ResizedAxis(within.start, first, last, mixed, shares.astype(np.float32))
