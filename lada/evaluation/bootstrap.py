"""How sure a mean over clips is, and whether two restorations can be told apart.

Clips of one source video resemble each other, so that sources are resampled, each with all its
clips. Percentiles are widened for few sources (T. Hesterberg, "What Teachers Should Know About the
Bootstrap", The American Statistician 69(4), 2015: the expanded percentile interval).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from lada.errors import LadaError
from lada.evaluation.results import INPUT, ClipResult, Evaluation
from lada.evaluation.scores import find_score
from lada.text import counted

CONFIDENCE = 0.95
RESAMPLES = 10_000
MIN_SOURCES = 6
"""Fewer sources can all point one way by chance more often than once in twenty."""


@dataclass(frozen=True)
class Comparison:
    """The difference B - A of a score over the same clips."""

    score: str
    difference: float
    low: float
    high: float
    sources: int
    clips: int
    verdict: str
    """What B is: ``better``, ``worse`` or ``undecided``."""

    def __str__(self) -> str:
        text = f'{self.verdict}: {self.score} {self.difference:+z.3f}'
        if not math.isnan(self.low):
            text += f', {CONFIDENCE:.0%} interval {self.low:+z.3f} to {self.high:+z.3f}'
        text += f' ({counted(self.clips, "clip")} of {counted(self.sources, "source")})'
        if self.sources < MIN_SOURCES:
            text += f'; {MIN_SOURCES} sources are needed to decide'
        return text


def interval(values: Iterable[tuple[str, float]], seed: int = 0) -> tuple[float, float]:
    """Return the 95 % confidence interval of a mean; ``nan`` twice below two sources.

    Args:
        values: (source, value) pairs; a value that is ``nan`` is left out.
        seed: of the resampling.
    """
    sums: dict[str, list[float]] = {}
    for source, value in values:
        if not math.isnan(value):
            sums.setdefault(source, []).append(value)
    if len(sums) < 2:
        return math.nan, math.nan
    totals = np.array([math.fsum(group) for group in sums.values()])
    counts = np.array([len(group) for group in sums.values()])
    rng = np.random.default_rng(seed)
    means = []
    step = max(1, 2_000_000 // len(sums))  # bounds memory
    for start in range(0, RESAMPLES, step):
        chosen = rng.integers(len(sums), size=(min(step, RESAMPLES - start), len(sums)))
        means.append(totals[chosen].sum(axis=1) / counts[chosen].sum(axis=1))
    tail = _expanded_tail(len(sums))
    low, high = np.quantile(np.concatenate(means), [tail, 1 - tail])
    return float(low), float(high)


def total_interval(evaluation: Evaluation, method: str, score: str) -> tuple[float, float]:
    """Return the confidence interval of :meth:`Evaluation.total`."""
    return interval((clip.source, clip.value(method, score)) for clip in evaluation.clips)


def compare(
    first: Evaluation, a: str, second: Evaluation, b: str, score: str = 'psnr_mosaic'
) -> Comparison:
    """Say whether restoration ``b`` of the second evaluation is better than ``a`` of the first.

    Clips are compared one by one.

    Args:
        first: the evaluation of ``a``.
        a: a restoration in it: a checkpoint's label, ``input`` or ``bicubic``.
        second: the evaluation of ``b``, of the same clips; may be the same.
        b: a restoration in it.
        score: name of a score that both have.

    Raises :class:`LadaError` when the evaluations share no clip or
    drew other mosaics, and for a score that they do not have or that nobody registered.
    """
    of_a = {clip.key: clip for clip in first.clips}
    pairs = [(of_a[clip.key], clip) for clip in second.clips if clip.key in of_a]
    if not pairs:
        raise LadaError('the evaluations share no clip; evaluate both checkpoints on the same data')
    for clip_a, clip_b in pairs:
        if not _same_input(clip_a, clip_b):
            raise LadaError(
                f'the evaluations drew different mosaics on clip {clip_a.key}; evaluate both'
                ' checkpoints with the same config and data'
            )
    differences = [
        (clip_b.source, clip_b.value(b, score) - clip_a.value(a, score)) for clip_a, clip_b in pairs
    ]
    differences = [(source, value) for source, value in differences if not math.isnan(value)]
    if not differences:
        names = [name for name in first.score_names() if name in second.score_names()]
        raise LadaError(
            f'no clip has {score!r} for both {a!r} and {b!r}; both evaluations have'
            f' {", ".join(names) or "no score"}'
        )
    kind = find_score(score)
    if kind is None:
        raise LadaError(
            f'unknown whether a higher {score!r} is better: no class has that name; put its file'
            ' into lada/evaluation/scores/'
        )
    low, high = interval(differences)
    sources = len({source for source, _ in differences})
    verdict = 'undecided'
    if sources >= MIN_SOURCES and (low > 0 or high < 0):
        verdict = 'better' if (low > 0) == kind.higher_is_better else 'worse'
    mean = math.fsum(value for _, value in differences) / len(differences)
    return Comparison(score, mean, low, high, sources, len(differences), verdict)


def _same_input(a: ClipResult, b: ClipResult) -> bool:
    values = a.value(INPUT, 'psnr'), b.value(INPUT, 'psnr')
    return all(map(math.isnan, values)) or math.isclose(*values, abs_tol=1e-6)


def _expanded_tail(count: int) -> float:
    """The share of resamples beyond each end, for ``count`` sources."""
    t = _student_quantile(1 - (1 - CONFIDENCE) / 2, count - 1)
    return NormalDist().cdf(-math.sqrt(count / (count - 1)) * t)


def _student_quantile(probability: float, freedom: int) -> float:
    """The quantile of Student's distribution above one half: its density is integrated over atan(t
    / sqrt(n)).
    """
    angles = np.linspace(0, math.pi / 2, 20_001)
    density = np.cos(angles) ** (freedom - 1)
    mass = np.concatenate([[0], np.cumsum((density[1:] + density[:-1]) / 2)])
    angle = np.interp(2 * probability - 1, mass / mass[-1], angles)
    return math.sqrt(freedom) * math.tan(angle)
