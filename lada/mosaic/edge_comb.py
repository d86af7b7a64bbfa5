"""Edges that repeat at equal distances: the rows and columns between the blocks of a mosaic.

Differences between neighbouring pixels are projected on rows and columns, and a projection that
looks like a comb gives the blocks' period and phase, as for the grids of block-coded pictures (US
7,218,794; US 9,569,856).
"""

from typing import NamedTuple

import cv2
import numpy as np

SMALLEST_PERIOD = 4.5
"""Blocks narrower than this many pixels are not looked for."""
_STRIP = 8
_WINDOWS = (64, 128, 256)
_PERIODS_IN_WINDOW = 4.5
_STRONGEST = 8


class Candidate(NamedTuple):
    """A square of a frame in which edges repeat, both down and across."""

    score: float
    top: int
    left: int
    side: int
    periods: tuple[float, float]
    """Down and across, in pixels, within a few percent."""


class EdgeMaps(NamedTuple):
    """How strong an edge is between two pixels, uint8: where it stands alone, and is straight."""

    down: np.ndarray
    """(H, W): at [y, x] between the rows y - 1 and y."""
    across: np.ndarray
    """(H, W): at [y, x] between the columns x - 1 and x."""


def edge_maps(luma: np.ndarray) -> EdgeMaps:
    """Return the edges of a frame, (H, W) uint8; none where it is too small to hold a mosaic."""
    if min(luma.shape) < 2 * SMALLEST_PERIOD:
        return EdgeMaps(np.zeros_like(luma), np.zeros_like(luma))
    return EdgeMaps(_edges(luma, 0), _edges(luma, 1))


def _edges(luma: np.ndarray, axis: int) -> np.ndarray:
    def part(start: int | None, stop: int | None) -> tuple[slice, slice]:
        return (slice(start, stop), slice(None)) if axis == 0 else (slice(None), slice(start, stop))

    steps = np.zeros_like(luma)
    steps[part(1, None)] = cv2.absdiff(luma[part(1, None)], luma[part(None, -1)])
    # Texture has edges three pixels further on as well, the inside of a block has none.
    beside = np.zeros_like(luma)
    beside[part(3, None)] = steps[part(None, -3)]
    beside[part(None, -3)] = cv2.max(beside[part(None, -3)], steps[part(3, None)])
    alone = cv2.subtract(steps, beside)
    # The edge of a block is as high over its whole length.
    straight = cv2.erode(alone, np.ones((1, 3) if axis == 0 else (3, 1), np.uint8))
    # How many edges there are says more than how high they are.
    return np.minimum(straight, np.uint8(_STRONGEST))


def candidates(edges: EdgeMaps, least: float) -> list[Candidate]:
    """Return squares whose edges repeat in both directions, the best first.

    Args:
        edges: of a frame.
        least: score, at most about 1, below which a square is left out.
    """
    height, width = edges.across.shape
    strips_across = _strips(edges.across)
    strips_down = _strips(cv2.transpose(edges.down))
    found = []
    for side in _WINDOWS:
        if side > min(height, width) and side != _WINDOWS[0]:
            break
        hop = max(_STRIP, side // 2 // _STRIP * _STRIP)
        tops, lefts = (
            np.arange(0, max(1, length - side + hop), hop).clip(0, max(0, length - side))
            for length in (height, width)
        )
        across = _window_profiles(strips_across, tops, lefts, side)
        down = _window_profiles(strips_down, lefts, tops, side).transpose(1, 0, 2)
        (scores_across, periods_across), (scores_down, periods_down) = (
            _periods(profiles) for profiles in (across, down)
        )
        score = np.minimum(scores_across, scores_down)
        for row, column in zip(*np.nonzero(score >= least), strict=True):
            periods = float(periods_down[row, column]), float(periods_across[row, column])
            found.append(
                Candidate(
                    float(score[row, column]), int(tops[row]), int(lefts[column]), side, periods
                )
            )
    return sorted(found, key=lambda each: -each.score)


def _strips(edges: np.ndarray) -> np.ndarray:
    """Return means over strips of rows, (rows, W) float32."""
    rows = max(1, edges.shape[0] // _STRIP)
    used = np.ascontiguousarray(edges[: rows * _STRIP]).astype(np.float32)
    return cv2.resize(used, (edges.shape[1], rows), interpolation=cv2.INTER_AREA)


def _window_profiles(
    strips: np.ndarray, tops: np.ndarray, lefts: np.ndarray, side: int
) -> np.ndarray:
    """Return the mean edges of each column of squares, (tops, lefts, side)."""
    sums = np.zeros((strips.shape[0] + 1, strips.shape[1]), np.float32)
    np.cumsum(strips, axis=0, out=sums[1:])
    first = np.minimum(tops // _STRIP, strips.shape[0] - 1)
    last = np.clip((tops + side) // _STRIP, first + 1, strips.shape[0])
    means = (sums[last] - sums[first]) / (last - first)[:, None]
    means = cv2.blur(means, (3, 1), borderType=cv2.BORDER_REPLICATE)
    if means.shape[1] < side:
        means = np.pad(means, ((0, 0), (0, side - means.shape[1])))
    return np.lib.stride_tricks.sliding_window_view(means, side, axis=1)[:, lefts]


def _periods(profiles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how well the best period explains each profile, and that period."""
    side = profiles.shape[-1]
    centred = profiles - profiles.mean(axis=-1, keepdims=True)
    spectrum = np.fft.rfft(centred, 2 * side, axis=-1)
    power = spectrum.real**2 + spectrum.imag**2
    correlation = np.fft.irfft(power, axis=-1)[..., : side // 2 + 1]
    lags = np.arange(side // 2 + 1)
    # A tenth of a level is nothing, however regular.
    correlation = correlation * (side / (side - lags)) / (correlation[..., :1] + side * 0.01)
    periods = np.geomspace(SMALLEST_PERIOD, side / _PERIODS_IN_WINDOW, 160)
    weights = np.zeros((len(lags), len(periods)), np.float32)
    # In phase after one period and two, out of phase half-way: neither half nor twice the period.
    for factor, weight in ((1, 0.5), (2, 0.5), (0.5, -0.5), (1.5, -0.5)):
        lag = factor * periods
        below = np.minimum(lag.astype(int), len(lags) - 2)
        weights[below, np.arange(len(periods))] += weight * (1 - (lag - below))
        weights[below + 1, np.arange(len(periods))] += weight * (lag - below)
    scores = correlation.astype(np.float32) @ weights
    best = scores.argmax(axis=-1)
    return np.take_along_axis(scores, best[..., None], axis=-1)[..., 0], periods[best]


def fit_comb(
    profile: np.ndarray, period: float, tolerance: float, *, start: int = 0
) -> tuple[float, float, float]:
    """Return period and phase of the comb that fits a profile best, and how well, 0 to 1.

    Args:
        profile: (N,) edges; entry i lies at position ``start`` + i.
        period: where to look.
        tolerance: how far around it, as a fraction; 0: only the phase is looked for.
        start: position of the first entry. The phase is a position modulo the period.
    """
    length = len(profile)
    steps = int(np.ceil(tolerance * length / (0.2 * period))) if tolerance else 0
    periods = period * (1 + tolerance * np.linspace(-1, 1, 2 * steps + 1)) if steps else [period]
    periods = np.asarray(periods)
    centred = profile - profile.mean()
    norm = float(np.sqrt(np.square(centred).sum())) + 1e-6
    positions = start + np.arange(length)
    # The comb's first harmonics, as a bank of filters: all phases at once by a transform back.
    harmonics = np.arange(1, max(2, int(period // 2)) + 1)
    angles = -2j * np.pi * np.outer(1 / periods, positions)
    base = np.exp(angles)
    power, coefficients = np.ones_like(base), []
    for _ in harmonics:
        power = power * base
        coefficients.append(power @ centred)
    coefficients = np.stack(coefficients, axis=1)
    # A tooth one pixel and a half wide.
    width = np.exp(-2 * (np.pi * 0.6 * harmonics / period) ** 2)
    count = 1 << int(np.ceil(np.log2(8 * period)))
    spectrum = np.zeros((len(periods), count // 2 + 1), np.complex128)
    spectrum[:, harmonics] = (coefficients * width).conj()
    response = np.fft.irfft(spectrum, count, axis=1) * count
    best = np.unravel_index(response.argmax(), response.shape)
    row = response[best[0]]
    around = row[[best[1] - 1, best[1], (best[1] + 1) % count]]
    bend = around[0] - 2 * around[1] + around[2]
    shift = 0.5 * (around[0] - around[2]) / bend if bend < 0 else 0.0
    found = float(periods[best[0]])
    # The phase turns against the transform's direction.
    phase = -(best[1] + shift) / count * found % found
    energy = float(np.sqrt(2 * length * np.square(width).sum()))
    return found, float(phase), float(row[best[1]] / (norm * energy))
