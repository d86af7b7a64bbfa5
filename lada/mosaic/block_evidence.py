"""Which blocks of a grid are those of a mosaic: flat inside, with steps between them."""

from typing import NamedTuple

import cv2
import numpy as np

_NOISE = 1.0
"""Levels below which differences say nothing."""
_INSIDE = 2.0
"""A step counts for a mosaic where it exceeds this many times the deviation within its blocks. A
smooth ramp has 0.9 times, texture less.
"""

_RINGING = 0.04
"""Deviation that an encoder leaves in a block, by the highest step beside it."""
_MOST_ALLOWED = 6.0
_LEAST_SEED = 0.25
_MOST_FOR_A_LINE = 0.6
"""So that a single line, such as one between a mosaic and a flat surface, is not enough."""
_LINE_BONUS = 0.35
_LEAST_SUPPORT = 1.1
_ROUNDS = 12


class Lines(NamedTuple):
    """Where the lines of a grid lie along one side of a frame: ``start`` + k * ``period``, in
    pixels from the frame's edge.
    """

    start: float
    period: float

    def near(self, first: float, last: float, length: int) -> np.ndarray:
        """Return the lines of the whole blocks between two positions within the frame, with those
        that are cut off at its ends as long as they keep half a block.
        """
        first, last = max(first, 0.0), min(last, float(length))
        low = int(np.ceil((first - self.start) / self.period - 0.01))
        high = int(np.floor((last - self.start) / self.period + 0.01))
        lines = self.start + self.period * np.arange(low, high + 1)
        if len(lines) and first == 0 and lines[0] >= self.period / 2:
            lines = np.concatenate([[0.0], lines])
        if len(lines) and last == length and length - lines[-1] >= self.period / 2:
            lines = np.concatenate([lines, [float(length)]])
        return lines


class Evidence(NamedTuple):
    """What speaks for a mosaic, block by block of a part of a grid with R x C blocks."""

    down: np.ndarray
    """(R + 1, C) float32 in [-1.5, 1.5]: of the line above each block; above 0 for a mosaic."""
    across: np.ndarray
    """(R, C + 1): of the line left of each block."""
    steps_down: np.ndarray
    """(R + 1, C): height of the step in levels."""
    steps_across: np.ndarray
    """(R, C + 1)"""
    means: np.ndarray
    """(R, C): mean luma of the blocks."""
    joints: np.ndarray
    """(R + 1, C): how far the pixels at the line above each block are darker or brighter than both
    sides, in levels; a mosaic has no joints between its blocks.
    """
    texture: np.ndarray
    """(R, C) in [0, 1]: whether a block deviates more than an encoder makes a flat one do."""

    @classmethod
    def none(cls, shape: tuple[int, int]) -> 'Evidence':
        """Return no evidence for ``shape`` (R, C) blocks."""
        down, across, each = (
            np.zeros((shape[0] + more[0], shape[1] + more[1]), np.float32)
            for more in ((1, 0), (0, 1), (0, 0))
        )
        return cls(down, across, down, across, each, down, each)

    def blocks(self) -> np.ndarray:
        """Return the evidence for each block, (R, C): the mean of its two best sides."""
        sides = np.stack([self.down[:-1], self.down[1:], self.across[:, :-1], self.across[:, 1:]])
        sides.sort(axis=0)
        return sides[2:].mean(axis=0)


def measure(luma: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> Evidence:
    """Return the evidence for the blocks between lines.

    Args:
        luma: (H, W) uint8, the whole frame.
        rows: (R + 1,) float positions of the lines between rows of blocks, ascending.
        columns: (C + 1,) those between columns.
    """
    corner = int(rows[0]), int(columns[0])
    part = luma[corner[0] : int(rows[-1]) + 1, corner[1] : int(columns[-1]) + 1]
    plain, squares = cv2.integral2(part, sdepth=cv2.CV_32S, sqdepth=cv2.CV_64F)
    (top, bottom), (left, right) = _insides(rows - corner[0]), _insides(columns - corner[1])
    area = (bottom - top)[:, None] * (right - left)
    means = _sum(plain, top, bottom, left, right) / area
    spread = _sum(squares, top, bottom, left, right) / area - means**2
    deviations = np.sqrt(np.maximum(spread, 0)).astype(np.float32)
    band = 2
    above = _mean(plain, top, np.minimum(top + band, bottom), left, right)
    below = _mean(plain, np.maximum(bottom - band, top), bottom, left, right)
    before = _mean(plain, top, bottom, left, np.minimum(left + band, right))
    behind = _mean(plain, top, bottom, np.maximum(right - band, left), right)
    steps_down = np.abs(above[1:] - below[:-1])
    steps_across = np.abs(before[:, 1:] - behind[:, :-1])
    steps_down, steps_across = (
        _bordered(steps_down, 0),
        _bordered(steps_across, 1),
    )
    lines = np.rint(rows[1:-1] - corner[0]).astype(int)
    at_line = _mean(plain, lines - 1, lines + 1, left, right)
    joints = np.maximum(
        np.minimum(above[1:], below[:-1]) - at_line, at_line - np.maximum(above[1:], below[:-1])
    )
    highest = np.maximum(
        np.maximum(steps_down[1:], steps_down[:-1]),
        np.maximum(steps_across[:, 1:], steps_across[:, :-1]),
    )
    allowed = np.minimum(_NOISE + _RINGING * highest, _MOST_ALLOWED)
    texture = (deviations / allowed - 1).clip(0, 1)
    down = _compare(
        steps_down[1:-1],
        np.maximum(deviations[1:], deviations[:-1]),
        np.maximum(texture[1:], texture[:-1]),
    )
    across = _compare(
        steps_across[:, 1:-1],
        np.maximum(deviations[:, 1:], deviations[:, :-1]),
        np.maximum(texture[:, 1:], texture[:, :-1]),
    )
    return Evidence(
        _bordered(down, 0),
        _bordered(across, 1),
        steps_down,
        steps_across,
        means.astype(np.float32),
        _bordered(joints, 0),
        texture,
    )


def _bordered(inner: np.ndarray, axis: int) -> np.ndarray:
    """Return an array with zeros for the lines at its ends, which have a block on one side only."""
    height, width = inner.shape
    out = np.zeros((height + 2 * (axis == 0), width + 2 * (axis == 1)), np.float32)
    out[1 - axis : height + 1 - axis, axis : width + axis] = inner
    return out


def _insides(lines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return first and last (excluded) pixels of the blocks without what an encoder blurs."""
    margin = float(np.clip(0.12 * np.diff(lines).max(), 1, 3))
    first = np.ceil(lines[:-1] + margin - 0.25).astype(int)
    last = np.floor(lines[1:] - margin + 0.25).astype(int)
    return first, np.maximum(last, first + 1)


def _sum(table, top, bottom, left, right):
    upper, lower = table[top], table[bottom]
    return lower[:, right] - lower[:, left] - upper[:, right] + upper[:, left]


def _mean(plain, top, bottom, left, right):
    area = (bottom - top)[:, None] * (right - left)
    return (_sum(plain, top, bottom, left, right) / area).astype(np.float32)


def _compare(steps: np.ndarray, deviations: np.ndarray, texture: np.ndarray) -> np.ndarray:
    """Return the evidence of lines from their steps and the worse of the blocks beside them. No
    step between flat blocks is no evidence at all.
    """
    ratio = np.log((steps + _NOISE) / (_INSIDE * deviations + _NOISE)).clip(-1.5, 1.5)
    return np.where(ratio < 0, ratio * texture, ratio)


def grown(evidence: Evidence) -> np.ndarray:
    """Return the blocks of a mosaic (R, C) bool: those whose lines to others of the mosaic speak
    for one. Flat parts are taken where they are surrounded.
    """
    on = evidence.blocks() >= _LEAST_SEED
    down = np.minimum(evidence.down, _MOST_FOR_A_LINE) + _LINE_BONUS
    across = np.minimum(evidence.across, _MOST_FOR_A_LINE) + _LINE_BONUS
    for _ in range(_ROUNDS):
        z = on.astype(np.float32)
        support = np.zeros_like(z)
        support[1:] += down[1:-1] * z[:-1]
        support[:-1] += down[1:-1] * z[1:]
        support[:, 1:] += across[:, 1:-1] * z[:, :-1]
        support[:, :-1] += across[:, 1:-1] * z[:, 1:]
        before, on = on, support >= _LEAST_SUPPORT
        if np.array_equal(before, on):
            break
    padded = cv2.copyMakeBorder(on.astype(np.uint8), 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=0)
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, cross)[2:-2, 2:-2]
    contours, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros_like(closed)
    cv2.drawContours(filled, contours, -1, 1, -1)
    hulls = np.zeros_like(closed)
    for contour in contours:
        cv2.fillConvexPoly(hulls, cv2.convexHull(contour), 1)
    return (filled != 0) | ((hulls != 0) & (evidence.texture < 0.5))
