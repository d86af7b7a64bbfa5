"""Scores of a restored clip. Every module of this package is imported, so that a new score is one
new file.
"""

from collections.abc import Iterable

from lada.evaluation.scores.clip import ClipReference
from lada.evaluation.scores.score import Score
from lada.registry import SCORES, import_modules

__all__ = ['ClipReference', 'Score', 'build_scores', 'find_score', 'score_names']

BUILT_IN = (
    'MosaicPSNR',
    'MosaicSSIM',
    'FramePSNR',
    'FrameSSIM',
    'Seam',
    'WarpingError',
    'Flicker',
    'Consistency',
)
"""What is measured without asking, in the order of tables; a config's ``scores`` come after."""


def build_scores(more: Iterable[dict | Score] = ()) -> list[Score]:
    """Return the built-in scores and ``more``, configs or instances.

    One with the name of an earlier score takes its place.
    """
    scores = [
        item if isinstance(item, Score) else SCORES.build(item)
        for item in [*({'type': name} for name in BUILT_IN), *more]
    ]
    return list({score.name: score for score in scores}.values())


def find_score(name: str) -> type[Score] | None:
    """Return the registered score of that name, ``None`` for a name that nobody registered."""
    return next((score for score in SCORES.module_dict.values() if score.name == name), None)


def score_names(*, higher_is_better: bool) -> list[str]:
    """Return the names of the registered scores of which more is better, or less."""
    scores = SCORES.module_dict.values()
    return [score.name for score in scores if score.higher_is_better is higher_is_better]


import_modules(__name__)
