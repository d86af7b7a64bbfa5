"""Following a mosaic through neighbouring frames."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lada.mosaic.block_evidence import Evidence, grown, measure
from lada.mosaic.find_in_frame import Frame, FrameMosaic, checked, connected, fit_grid, shared

LEAST_WEIGHT = 8.0
"""Evidence times blocks, in the mean over its frames, below which a mosaic is none."""
_LEAST_KNOWN = 0.2
"""Mean evidence of the lines between blocks of a mosaic that other frames show clearly."""
_GAP = 6
"""Frames in a row without evidence after which a mosaic has ended."""
_LEAST_FRAMES = 5
_MARGIN = 3
"""Blocks around a mosaic among which it may have moved."""
_AVERAGED = 8
"""Frames before and after one whose evidence counts with its own."""
_STILL = 0.75
"""Pixels by which the places of a grid that stands still may differ."""
_LEAST_STRENGTH = 0.1
"""Mean evidence of the blocks of the frame before, below which a mosaic is not seen."""


@dataclass(frozen=True)
class Place:
    """Where a mosaic is in one frame."""

    corner: np.ndarray
    """(2,) y and x of the line from which its blocks are counted, in pixels."""
    rows: slice
    """Numbers of its rows of blocks."""
    columns: slice

    def widened(self) -> 'Place':
        """Return the place with a margin on all sides."""
        return Place(
            self.corner,
            slice(self.rows.start - _MARGIN, self.rows.stop + _MARGIN),
            slice(self.columns.start - _MARGIN, self.columns.stop + _MARGIN),
        )

    def of(self, blocks: np.ndarray) -> 'Place':
        """Return the part with the ``blocks`` (R, C) bool that are set."""
        rows, columns = np.flatnonzero(blocks.any(axis=1)), np.flatnonzero(blocks.any(axis=0))
        return Place(
            self.corner,
            slice(self.rows.start + int(rows[0]), self.rows.start + int(rows[-1]) + 1),
            slice(self.columns.start + int(columns[0]), self.columns.start + int(columns[-1]) + 1),
        )

    def lines(self, periods: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
        """Return the positions of the lines between its rows and between its columns."""
        return (
            self.corner[0] + periods[0] * np.arange(self.rows.start, self.rows.stop + 1),
            self.corner[1] + periods[1] * np.arange(self.columns.start, self.columns.stop + 1),
        )

    def box(self, periods: tuple[float, float]) -> tuple[int, int, int, int]:
        """Return top, left, bottom and right in whole pixels."""
        rows, columns = self.lines(periods)
        return round(rows[0]), round(columns[0]), round(rows[-1]), round(columns[-1])


class Track:
    """A mosaic in consecutive frames.

    Args:
        periods: height and width of its blocks.
        places: where it is, by the frame's number.
    """

    def __init__(self, periods: tuple[float, float], places: dict[int, Place]):
        self.periods, self.places = periods, places

    def covers(self, t: int, mosaic: FrameMosaic) -> bool:
        """Tell whether another find of frame ``t`` lies mostly in this mosaic."""
        return t in self.places and shared(mosaic.box, self.places[t].box(self.periods)) > 0.4

    def mosaics(self, frames: list[Frame]) -> Iterator[tuple[int, FrameMosaic]]:
        """Yield the mosaic in each frame, with the evidence of neighbouring frames."""
        numbers = sorted(self.places)
        places = [self.places[t] for t in numbers]
        rows = slice(min(p.rows.start for p in places), max(p.rows.stop for p in places))
        columns = slice(min(p.columns.start for p in places), max(p.columns.stop for p in places))
        everywhere = {t: Place(self.places[t].corner, rows, columns).widened() for t in numbers}
        averaged = _averaged(
            numbers, [_evidence(frames[t].luma, everywhere[t], self.periods) for t in numbers]
        )
        for t, evidence in zip(numbers, averaged, strict=True):
            lines = everywhere[t].lines(self.periods)
            blocks = connected(grown(evidence), lines, self.places[t].box(self.periods))
            if blocks is None:
                continue
            mosaic = checked(evidence, lines, blocks, self.periods, frames[t].shape, _LEAST_KNOWN)
            if mosaic is not None:
                yield t, mosaic


def follow_mosaic(frames: list[Frame], start: int, mosaic: FrameMosaic) -> Track | None:
    """Follow a mosaic from the frame in which it was found, forth and back; None where it is gone
    at once.

    Args:
        frames: consecutive frames of a video.
        start: number of the frame.
        mosaic: what was found there.
    """
    corner = np.array([mosaic.rows[0], mosaic.columns[0]])
    count = mosaic.blocks.shape
    places = {start: Place(corner, slice(0, count[0]), slice(0, count[1]))}
    for step in (1, -1):
        _follow(frames, start, step, mosaic, places)
    if len(places) < min(_LEAST_FRAMES, len(frames)):
        return None
    return Track(mosaic.periods, _steadied(places))


def _follow(
    frames: list[Frame], start: int, step: int, mosaic: FrameMosaic, places: dict[int, Place]
) -> None:
    """Add the places in the frames after ``start``, or before it."""
    place, on, periods = places[start], mosaic.blocks, mosaic.periods
    missed: list[int] = []
    t = start + step
    while 0 <= t < len(frames) and len(missed) < _GAP:
        corner = _moved_corner(frames[t], place, periods)
        best = -np.inf, place, None
        # A grid that stands still needs no better place.
        for each in (corner, place.corner):
            around = Place(each, place.rows, place.columns).widened()
            evidence = _evidence(frames[t].luma, around, periods)
            inside = evidence.blocks()[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN][on].mean()
            if inside > best[0] + 0.05:
                best = float(inside), around, evidence
        strength, around, evidence = best
        if evidence is None or strength < _LEAST_STRENGTH:
            missed.append(t)
            t += step
            continue
        places.update((late, place) for late in missed)
        missed = []
        blocks = connected(grown(evidence), around.lines(periods), place.box(periods))
        if blocks is not None and np.count_nonzero(blocks) > 0.5 * np.count_nonzero(on):
            place = around.of(blocks)
            on = blocks[blocks.any(axis=1)][:, blocks.any(axis=0)]
        else:
            place = Place(around.corner, place.rows, place.columns)
        places[t] = place
        t += step


def _moved_corner(frame: Frame, place: Place, periods: tuple[float, float]) -> np.ndarray:
    """Return where the corner of the grid is in another frame: at the nearest lines that fit."""
    height, width = frame.shape
    top, left, bottom, right = place.box(periods)
    top, left, bottom, right = max(top, 0), max(left, 0), min(bottom, height), min(right, width)
    if bottom - top < 2 * periods[0] or right - left < 2 * periods[1]:
        return place.corner
    grid = fit_grid(frame.edges, (top, left, bottom, right), periods, 0, whole=False)
    corner = np.array([line.start for line in grid])
    return corner + np.rint((place.corner - corner) / periods) * periods


def _evidence(luma: np.ndarray, place: Place, periods: tuple[float, float]) -> Evidence:
    """Return the evidence of the blocks of a place, 0 for those outside of the frame."""
    lines, outside = [], []
    for positions, period, length in zip(place.lines(periods), periods, luma.shape, strict=True):
        seen = np.minimum(positions[1:], length) - np.maximum(positions[:-1], 0)
        used = np.flatnonzero(seen >= max(0.4 * period, 3))
        if not len(used):
            return Evidence.none(
                (place.rows.stop - place.rows.start, place.columns.stop - place.columns.start)
            )
        lines.append(positions[used[0] : used[-1] + 2].clip(0, length))
        outside.append((int(used[0]), len(positions) - 2 - int(used[-1])))
    evidence = measure(luma, *lines)
    if not any(map(any, outside)):
        return evidence
    return Evidence(*(np.pad(part, outside) for part in evidence))


def _averaged(numbers: list[int], evidence: list[Evidence]) -> list[Evidence]:
    """Return the evidence of each frame with that of the frames around it."""
    distances = np.abs(np.subtract.outer(numbers, numbers))
    weights = np.maximum(1 - distances / (_AVERAGED + 1), 0)
    weights = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    parts = []
    for each in zip(*evidence, strict=True):
        stack = np.stack(each).astype(np.float32)
        parts.append((weights @ stack.reshape(len(stack), -1)).reshape(stack.shape))
    return [Evidence(*each) for each in zip(*parts, strict=True)]


def _steadied(places: dict[int, Place]) -> dict[int, Place]:
    """Return the places, those of a grid that stands still without trembling."""
    numbers = sorted(places)
    corners = np.array([places[t].corner for t in numbers])
    for axis in (0, 1):
        middle = np.median(corners[:, axis])
        if np.mean(np.abs(corners[:, axis] - middle) <= _STILL) >= 0.8:
            corners[:, axis] = middle
    return {
        t: Place(corner, places[t].rows, places[t].columns)
        for t, corner in zip(numbers, corners, strict=True)
    }
