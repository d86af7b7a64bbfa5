"""Finding the mosaics of a single frame."""

from dataclasses import dataclass

import cv2
import numpy as np

from lada.mosaic.block_evidence import Evidence, Lines, grown, measure
from lada.mosaic.edge_comb import Candidate, EdgeMaps, candidates, edge_maps, fit_comb

_LEAST_PERIODICITY = 0.3
_FEWEST_BLOCKS = 12
_MOST_UNLIKE_A_SQUARE = 1.9
"""Blocks longer than this many times their width are not those of a mosaic."""
_LEAST_STRENGTH = 0.35
"""Mean evidence of the lines between blocks below which a frame alone shows no mosaic."""
_LEAST_SPREAD = 0.05
"""Variance among blocks at the same place of a pattern, as a fraction of that among all."""
_MOST_JOINTS = 0.4
"""Height of joints as a fraction of that of steps."""
_CODING_SIZES = (8, 16)
_AS_GOOD = 0.4
"""Evidence for the grid of an encoder, as a fraction of that for the grid that was found."""
_FEWEST_LINES = 3
_MOST_TRIED = 12
_SAME_SIZE = 0.05
"""Difference of block sizes, as a fraction, below which two mosaics may be one."""


@dataclass(frozen=True)
class FrameMosaic:
    """A mosaic in one frame."""

    rows: np.ndarray
    """(R + 1,) float positions of the lines between rows of blocks, in pixels."""
    columns: np.ndarray
    """(C + 1,) those between columns."""
    blocks: np.ndarray
    """(R, C) bool: which blocks between them belong to it."""
    periods: tuple[float, float]
    """Height and width of a block."""
    evidence: float
    """Mean over the lines between its blocks, about 0.3 to 1.5."""
    shape: tuple[int, int]
    """Height and width of the frame."""

    @property
    def weight(self) -> float:
        """How much speaks for it."""
        return self.evidence * np.count_nonzero(self.blocks)

    @property
    def origin(self) -> tuple[float, float]:
        """The upper left corner of the grid."""
        return float(self.rows[0]), float(self.columns[0])

    @property
    def confidence(self) -> float:
        """0 to 1, by how much speaks for it."""
        return float(1 - np.exp(-self.weight / 15))

    def _pixel_lines(self) -> tuple[np.ndarray, np.ndarray]:
        """Return rows and columns in whole pixels within the frame; a rest of less than half a
        block at the frame's edge belongs to the block beside it.
        """
        lines = []
        for positions, length, period in zip(
            (self.rows, self.columns), self.shape, self.periods, strict=True
        ):
            whole = np.rint(positions).astype(int)
            if whole[0] < 0.4 * period:
                whole[0] = 0
            if length - whole[-1] < 0.4 * period:
                whole[-1] = length
            lines.append(whole.clip(0, length))
        return lines[0], lines[1]

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Top, left, bottom and right in pixels, the latter two excluded."""
        rows, columns = self._pixel_lines()
        return int(rows[0]), int(columns[0]), int(rows[-1]), int(columns[-1])

    def mask(self) -> np.ndarray:
        """Return which pixels of the box belong to it, bool."""
        heights, widths = (np.diff(lines) for lines in self._pixel_lines())
        return np.repeat(np.repeat(self.blocks, heights, axis=0), widths, axis=1)


class Frame:
    """What is computed once for a frame.

    Args:
        luma: (H, W) uint8.
    """

    def __init__(self, luma: np.ndarray):
        self.luma = luma
        self.shape = luma.shape
        self.edges: EdgeMaps = edge_maps(luma)


def find_in_frame(frame: Frame) -> list[FrameMosaic]:
    """Return the mosaics of a frame that can be told from this frame alone."""
    found: list[FrameMosaic] = []
    taken = np.zeros(frame.shape, np.uint8)
    tried = 0
    for each in candidates(frame.edges, _LEAST_PERIODICITY):
        window = taken[each.top : each.top + each.side, each.left : each.left + each.side]
        if tried >= _MOST_TRIED:
            break
        if np.count_nonzero(window) > 0.3 * window.size:
            continue
        tried += 1
        mosaic = follow(frame, each)
        if mosaic is None:
            middle = each.side // 4
            window[middle:-middle, middle:-middle] = 1
            continue
        top, left, bottom, right = mosaic.box
        taken[top:bottom, left:right] |= mosaic.mask()
        window[...] = 1
        found.append(mosaic)
    return _apart(found)


def follow(frame: Frame, seed: Candidate) -> FrameMosaic | None:
    """Grow a mosaic from a square in which edges repeat; None where there is none."""
    periods, tolerance = seed.periods, 0.05
    place = seed.top, seed.left, seed.top + seed.side, seed.left + seed.side
    inside = None
    mosaic = None
    for _ in range(4):
        grid = fit_grid(frame.edges, place, periods, tolerance, inside)
        grid = _or_coding(frame.luma, grid, place)
        periods = grid[0].period, grid[1].period
        reach = [max(3 * period, 24) for period in periods]
        mosaic = classify(
            frame.luma,
            grid,
            (place[0] - reach[0], place[1] - reach[1], place[2] + reach[0], place[3] + reach[1]),
            place,
        )
        if mosaic is None:
            return None
        larger = _whole_periods(mosaic, frame.luma)
        if larger != periods:
            periods, tolerance, place, inside = larger, 0.02, mosaic.box, mosaic.mask()
            continue
        before, place, tolerance, inside = place, mosaic.box, 0.02, mosaic.mask()
        if max(abs(a - b) for a, b in zip(before, place, strict=True)) < min(periods) / 2:
            break
    return mosaic


def _or_coding(
    luma: np.ndarray, grid: tuple[Lines, Lines], place: tuple[int, int, int, int]
) -> tuple[Lines, Lines]:
    """Return an encoder's grid in place of one that is hardly another and fits no better."""
    for size in _CODING_SIZES:
        if max(abs(line.period / size - 1) for line in grid) > 0.08:
            continue
        strengths = []
        for each in ((Lines(0, size), Lines(0, size)), grid):
            rows = each[0].near(place[0], place[2], luma.shape[0])
            columns = each[1].near(place[1], place[3], luma.shape[1])
            if min(len(rows), len(columns)) < 3:
                return grid
            strengths.append(float(measure(luma, rows, columns).blocks().mean()))
        if strengths[0] >= _AS_GOOD * strengths[1]:
            return Lines(0, size), Lines(0, size)
    return grid


def _whole_periods(mosaic: FrameMosaic, luma: np.ndarray) -> tuple[float, float]:
    """Return the periods, two or three times as long where only every second or third line has
    steps.
    """
    evidence = measure(luma, mosaic.rows, mosaic.columns)
    periods = []
    for axis, steps in enumerate((evidence.steps_down, evidence.steps_across.T)):
        blocks = mosaic.blocks if axis == 0 else mosaic.blocks.T
        both = blocks[1:] & blocks[:-1]
        heights = (steps[1:-1] * both).sum(axis=1) / np.maximum(both.sum(axis=1), 1)
        factor = 1
        for multiple in (3, 2):
            if len(heights) < 2 * multiple:
                continue
            phases = [heights[phase::multiple].mean() for phase in range(multiple)]
            phases.sort()
            if phases[-2] < 0.35 * phases[-1]:
                factor = multiple
                break
        periods.append(factor * mosaic.periods[axis])
    return periods[0], periods[1]


def fit_grid(
    edges: EdgeMaps,
    place: tuple[int, int, int, int],
    periods: tuple[float, float],
    tolerance: float,
    inside: np.ndarray | None = None,
    whole: bool = True,
) -> tuple[Lines, Lines]:
    """Return the lines that fit the edges of a part of a frame best, down and across.

    Args:
        edges: of the frame.
        place: top, left, bottom, right of the part.
        periods: about what they are.
        tolerance: how far off that may be, as a fraction.
        inside: which pixels of the part count, bool; all unless given.
        whole: round periods that may as well be whole numbers.
    """
    top, left, bottom, right = place
    lines = []
    for axis, start in ((0, top), (1, left)):
        part = edges[axis][top:bottom, left:right]
        if inside is not None:
            part = part * inside
        profile = cv2.reduce(part, 1 - axis, cv2.REDUCE_SUM, dtype=cv2.CV_32F).ravel()
        if inside is not None:
            profile = profile / np.maximum(np.count_nonzero(inside, axis=1 - axis), 4)
            profile[0] = 0
        profile = np.sqrt(profile)
        period, phase, _ = fit_comb(profile, periods[axis], tolerance)
        nearest = round(period)
        if whole and abs(period - nearest) * len(profile) / period < 0.6:
            period, phase, _ = fit_comb(profile, nearest, 0)
        lines.append(Lines(start + phase, period))
    return lines[0], lines[1]


def classify(
    luma: np.ndarray,
    grid: tuple[Lines, Lines],
    place: tuple[float, float, float, float],
    seed: tuple[int, int, int, int],
) -> FrameMosaic | None:
    """Return the mosaic on a grid, None where there is none.

    Args:
        luma: (H, W) uint8, the whole frame.
        grid: its lines down and across.
        place: top, left, bottom and right of where to look.
        seed: the same of what the mosaic touches.
    """
    top, left, bottom, right = place
    rows = grid[0].near(top, bottom, luma.shape[0])
    columns = grid[1].near(left, right, luma.shape[1])
    if min(len(rows), len(columns)) <= _FEWEST_LINES:
        return None
    evidence = measure(luma, rows, columns)
    blocks = connected(grown(evidence), (rows, columns), seed)
    if blocks is None:
        return None
    periods = grid[0].period, grid[1].period
    return checked(evidence, (rows, columns), blocks, periods, luma.shape, _LEAST_STRENGTH)


def connected(
    blocks: np.ndarray, lines: tuple[np.ndarray, np.ndarray], seed: tuple[int, int, int, int]
) -> np.ndarray | None:
    """Return the largest connected part of blocks, (R, C) bool, that touches the seed.

    Args:
        blocks: (R, C) bool.
        lines: positions of the R + 1 lines between rows, and of the C + 1 between columns.
        seed: top, left, bottom, right in pixels.
    """
    count, labels = cv2.connectedComponents(blocks.astype(np.uint8), connectivity=4)
    rows, columns = lines
    down = (rows[1:] > seed[0]) & (rows[:-1] < seed[2])
    across = (columns[1:] > seed[1]) & (columns[:-1] < seed[3])
    sizes = np.bincount(labels[np.ix_(down, across)].ravel(), minlength=count)
    sizes[0] = 0
    best = int(sizes.argmax())
    return labels == best if sizes[best] else None


def checked(
    evidence: Evidence,
    lines: tuple[np.ndarray, np.ndarray],
    blocks: np.ndarray,
    periods: tuple[float, float],
    shape: tuple[int, int],
    least: float,
) -> FrameMosaic | None:
    """Return the mosaic that connected blocks are, None where they are none.

    Args:
        evidence: of R x C blocks.
        lines: positions of the lines between their rows and between their columns.
        blocks: (R, C) bool.
        periods: height and width of a block.
        shape: of the frame.
        least: mean evidence of the lines between blocks below which there is no mosaic.
    """
    down, across = blocks[1:] & blocks[:-1], blocks[:, 1:] & blocks[:, :-1]
    if (
        np.count_nonzero(blocks) < _FEWEST_BLOCKS
        or min(blocks.any(axis=1).sum(), blocks.any(axis=0).sum()) < _FEWEST_LINES
        or max(periods) > _MOST_UNLIKE_A_SQUARE * min(periods)
    ):
        return None
    # Lines with a block of the mosaic on either side.
    between = evidence.down[1:-1][down], evidence.across[:, 1:-1][across]
    strength = float(np.concatenate(between).mean())
    if strength < least or min(each.mean() for each in between) < 0.6 * least:
        return None
    if _is_pattern(evidence, blocks) or _is_coding(evidence, blocks, lines, periods):
        return None
    rows, columns = np.flatnonzero(blocks.any(axis=1)), np.flatnonzero(blocks.any(axis=0))
    part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return FrameMosaic(
        lines[0][rows[0] : rows[-1] + 2],
        lines[1][columns[0] : columns[-1] + 2],
        blocks[part],
        periods,
        strength,
        shape,
    )


def _is_pattern(evidence: Evidence, blocks: np.ndarray) -> bool:
    """Tell whether blocks are those of a chessboard, of windows in a wall, or of tiles."""
    means = evidence.means
    # Three of four blocks in a square always alike: a wall with windows, or a chessboard.
    spread = []
    for first in (0, 1):
        for second in (0, 1):
            part = means[first::2, second::2][blocks[first::2, second::2]]
            spread.append(float(part.var()) if len(part) else 0.0)
    total = float(means[blocks].var())
    if sorted(spread)[2] < _LEAST_SPREAD * total or _two_levels(means[blocks]):
        return True
    down = blocks[1:] & blocks[:-1]
    joints = float(np.maximum(evidence.joints[1:-1][down], 0).mean())
    return joints > _MOST_JOINTS * float(evidence.steps_down[1:-1][down].mean())


def _two_levels(means: np.ndarray) -> bool:
    middle = (means.min() + means.max()) / 2
    low, high = means[means < middle], means[means >= middle]
    if not len(low) or not len(high):
        return False
    within = (low.var() * len(low) + high.var() * len(high)) / len(means)
    return within < 0.02 * means.var()


def _is_coding(
    evidence: Evidence,
    blocks: np.ndarray,
    lines: tuple[np.ndarray, np.ndarray],
    periods: tuple[float, float],
) -> bool:
    """Tell whether blocks may be those in which an encoder works (8 or 16 pixels, from the frame's
    corner on), whose steps are low, and which are not all flat.
    """
    for positions, period in zip(lines, periods, strict=True):
        size = round(period)
        if size not in _CODING_SIZES or abs(period - size) > 0.1:
            return False
        if abs((positions[1] + 4) % 8 - 4) > 0.6:
            return False
    steps = np.concatenate(
        [
            evidence.steps_down[1:-1][blocks[1:] & blocks[:-1]],
            evidence.steps_across[:, 1:-1][blocks[:, 1:] & blocks[:, :-1]],
        ]
    )
    least = 4 if float(evidence.texture[blocks].mean()) < 0.05 else 9
    return float(steps.mean()) < least


def _apart(found: list[FrameMosaic]) -> list[FrameMosaic]:
    """Leave out mosaics that lie mostly within a stronger one."""
    kept: list[FrameMosaic] = []
    for mosaic in sorted(found, key=lambda each: -np.count_nonzero(each.blocks)):
        if all(shared(mosaic.box, other.box) < 0.5 for other in kept):
            kept.append(mosaic)
    return kept


def same_blocks(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Tell whether blocks (height, width) may be those of one mosaic."""
    return all(abs(a / b - 1) < _SAME_SIZE for a, b in zip(one, other, strict=True))


def shared(box: tuple[int, ...], other: tuple[int, ...]) -> float:
    """Return which share of a box (top, left, bottom, right) lies in another."""
    height = min(box[2], other[2]) - max(box[0], other[0])
    width = min(box[3], other[3]) - max(box[1], other[1])
    area = max(1, (box[2] - box[0]) * (box[3] - box[1]))
    return max(0, height) * max(0, width) / area
