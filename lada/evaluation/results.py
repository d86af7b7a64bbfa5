"""What an evaluation found: scores per clip and restoration, and their means."""

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lada.errors import LadaError
from lada.folders import source_name

INPUT, BICUBIC, CONSISTENT = 'input', 'bicubic', 'consistent'
BASELINES = (INPUT, BICUBIC, CONSISTENT)
"""The restorations that every clip with a known grid has: none at all, interpolation of the block
means, and the same with the means of the mosaic kept.
"""
FORMAT = 1
NEAR_PERFECT_DB = 45.0
"""PSNR of an input whose mosaic hides next to nothing."""


@dataclass
class ClipResult:
    """The scores of one clip."""

    key: str
    frames: int
    block: tuple[float, float] | None
    """Height and width of a mosaic block in pixels of the ground truth, where known."""
    region: float
    """Share of the clip's pixels that lie in the mosaic, 0 to 1."""
    scores: dict[str, dict[str, float]]
    """Values by restoration and by :attr:`Score.name <lada.evaluation.scores.Score.name>`; ``nan``
    or absent: none.
    """

    source: str = ''
    """Name of the video that the clip was cut from; clips of one source are no independent
    evidence.
    """

    def __post_init__(self) -> None:
        if not self.source:
            # Files of version 0.1 and samples of other datasets do not say: by the usual names.
            self.source = source_name(self.key)

    def value(self, method: str, score: str) -> float:
        """Return a score; ``gain`` is the mosaic PSNR above the input's. ``nan`` where there is
        none.
        """
        if score == 'gain':
            return self.value(method, 'psnr_mosaic') - self.value(INPUT, 'psnr_mosaic')
        value = self.scores.get(method, {}).get(score)
        return math.nan if value is None else value


@dataclass
class Evaluation:
    """The results of one run over a validation set."""

    config: str
    data: str
    checkpoints: dict[str, str]
    """Path by label; the label names the restoration in every clip's scores."""
    clips: list[ClipResult] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What a reader should know, such as a score that could not be computed."""

    @property
    def methods(self) -> list[str]:
        """The baselines and the checkpoints' labels."""
        return [*BASELINES, *self.checkpoints]

    def total(self, method: str, score: str) -> float:
        """Return the mean over the clips that have the score, ``nan`` without any."""
        return mean([clip.value(method, score) for clip in self.clips])

    def median(self, method: str, score: str) -> float:
        """Return the median over the clips that have the score, ``nan`` without any."""
        values = [clip.value(method, score) for clip in self.clips]
        return statistics.median([v for v in values if not math.isnan(v)] or [math.nan])

    def near_perfect(self) -> list[str]:
        """Return the clips whose mosaic hides next to nothing: their gains say little, and one
        decides a mean.
        """
        return [
            clip.key for clip in self.clips if clip.value(INPUT, 'psnr_mosaic') > NEAR_PERFECT_DB
        ]

    def score_names(self) -> list[str]:
        """Return the scores that at least one clip has, in the order of measuring."""
        measured = [
            (name, value is not None and not math.isnan(value))
            for clip in self.clips
            for values in clip.scores.values()
            for name, value in values.items()
        ]
        found = {name for name, has_value in measured if has_value}
        return [name for name in dict.fromkeys(name for name, _ in measured) if name in found]

    def to_json(self) -> str:
        """Return the results as JSON; ``nan`` becomes ``null``."""
        names = ['gain', *self.score_names()]
        totals = {
            method: {
                **{name: self.total(method, name) for name in names},
                'median_gain': self.median(method, 'gain'),
            }
            for method in self.methods
        }
        content = {'format': FORMAT, **asdict(self), 'totals': totals}
        return json.dumps(_finite(content), indent=1, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_file(cls, path: str | Path) -> 'Evaluation':
        """Read what :meth:`to_json` wrote. Raises :class:`LadaError` for anything else."""
        try:
            content = json.loads(Path(path).read_text(encoding='utf-8'))
            if content['format'] != FORMAT:
                raise ValueError(f'format {content["format"]!r}')
            clips = [ClipResult(**clip) for clip in content['clips']]
            evaluation = cls(
                config=content['config'],
                data=content['data'],
                checkpoints=content['checkpoints'],
                clips=clips,
                notes=content['notes'],
            )
            if not _is_sound(evaluation):
                raise ValueError('a value of the wrong kind')
            return evaluation
        except (ValueError, KeyError, TypeError) as error:
            raise LadaError(
                f'not an evaluation: {path} ({type(error).__name__}: {error}); name the'
                ' evaluation.json that the evaluation script wrote'
            ) from error


def _is_sound(evaluation: Evaluation) -> bool:
    """Tell whether all values are of the kinds that their annotations say."""

    def number(value):
        return isinstance(value, (int, float)) and not isinstance(value, bool)

    def texts(values):
        return all(isinstance(value, str) for value in values)

    def sound(clip: ClipResult):
        block = clip.block is None or (
            isinstance(clip.block, list) and len(clip.block) == 2 and all(map(number, clip.block))
        )
        return (
            isinstance(clip.key, str)
            and isinstance(clip.source, str)
            and isinstance(clip.frames, int)
            and block
            and number(clip.region)
            and isinstance(clip.scores, dict)
            and all(
                isinstance(values, dict)
                and all(value is None or number(value) for value in values.values())
                for values in clip.scores.values()
            )
        )

    return (
        texts([evaluation.config, evaluation.data])
        and isinstance(evaluation.notes, list)
        and isinstance(evaluation.checkpoints, dict)
        and texts(evaluation.notes)
        and texts(evaluation.checkpoints.values())
        and all(map(sound, evaluation.clips))
    )


def _finite(value):
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def mean(values: Sequence[float]) -> float:
    """Return the exactly rounded mean of the values that are not ``nan``; ``nan`` without any,
    ``inf`` with one.
    """
    values = [value for value in values if not math.isnan(value)]
    if not values:
        return math.nan
    return math.inf if math.inf in values else math.fsum(values) / len(values)
