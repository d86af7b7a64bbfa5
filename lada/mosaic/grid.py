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

    def edges(self) -> np.ndarray:
        """Return where each block begins, and where the last one ends."""
        return np.minimum(self.start + self.block * np.arange(self.count + 1), self.stop)

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

    content: slice
    """These pixels."""
    edges: np.ndarray
    """Where each block begins among all pixels, and where the last one ends, fractions of a pixel
    included, but for what padding touches."""
    centres: np.ndarray
    """The pixel in which each block's centre pixel lies."""
    first: np.ndarray
    """The first block in each pixel."""
    last: np.ndarray
    """The last block in each pixel."""
    mixed: np.ndarray
    """The pixels with more than one block, counted from the first of ``content``."""
    shares: np.ndarray
    """(N, mixed) float32: what share of these pixels their first block has, the next, and so on to
    the N-th.
    """

    @property
    def start(self) -> int:
        """The first of these pixels."""
        return self.content.start

    def edges_of(self, blocks: slice) -> np.ndarray:
        """Return the edges of a run of blocks."""
        return self.edges[blocks.start : blocks.stop + 1]

    def seen(self, blocks: slice) -> slice:
        """Return the pixels, counted from ``start``, that show any of these ``blocks``."""
        return slice(
            int(self.last.searchsorted(blocks.start)), int(self.first.searchsorted(blocks.stop))
        )

    def window(self, blocks: slice) -> slice:
        """Return the pixels of the side that show any of these ``blocks``."""
        seen = self.seen(blocks)
        return slice(self.start + seen.start, self.start + seen.stop)

    def fill(self, blocks: np.ndarray, run: slice, axis: int) -> np.ndarray:
        """Return what the pixels :meth:`seen` show.

        Args:
            blocks: uint8, along ``axis`` what each block of the ``run`` shows; all others count as
                0.
            run: the blocks.
            axis: of ``blocks``, not the last one; in the result it has the pixels.
        """
        pixels = self.seen(run)
        # Long rows are moved at once.
        rows = blocks.reshape(*blocks.shape[: axis + 1], -1)
        out = rows.take(self.first[pixels] - run.start, axis, mode='clip')
        mixed = slice(self.mixed.searchsorted(pixels.start), self.mixed.searchsorted(pixels.stop))
        if mixed.start < mixed.stop:
            which = self.mixed[mixed]
            # Not a product of matrices: the threads of a BLAS would wait for work between these
            # small ones.
            total = np.float32(0.5)
            for number, share in enumerate(self.shares[:, mixed]):
                block = self.first[which] + (number - run.start)
                share = np.where((block >= 0) & (block < rows.shape[axis]), share, np.float32(0))
                total = total + rows.take(block, axis, mode='clip') * share[:, None]
            out[(*[slice(None)] * axis, which - pixels.start)] = total
        return out.reshape(*out.shape[: axis + 1], *blocks.shape[axis + 1 :])


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
    within = slice(
        -(-axis.start * length // axis.length),
        length + (axis.stop - axis.length) * length // axis.length,
    )
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
    edges_seen = np.clip(axis.edges() * length / axis.length, within.start, within.stop)
    centres = (2 * axis.centres() + 1) * length // (2 * axis.length)
    centres = np.clip(centres, within.start, max(within.stop - 1, 0))
    return ResizedAxis(within, edges_seen, centres, first, last, mixed, shares.astype(np.float32))
