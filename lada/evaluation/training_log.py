"""Reading what a training run logged, across its resumes, and judging how it goes."""

import json
import math
import re
import statistics
from dataclasses import dataclass, field
from pathlib import Path

from lada.checkpoints.finding import iteration_of
from lada.errors import LadaError

HEADLINES = ('mosaic/gain', 'mosaic/psnr_model', 'PSNR_mosaic', 'PSNR')
"""Validation scores by which a run is judged, in dB: the first that was logged."""
MIN_VALIDATIONS = 4
SMALL = 0.02
"""dB that count as no change."""
# MMEngine's words, in the text log beside vis_data.
_RESUMED = re.compile(r'resumed epoch: \d+, iter: (\d+)')
_NOT_VALUES = {'step', 'iter', 'epoch', 'time', 'data_time', 'memory', 'validated_iter'}


@dataclass
class Curve:
    """One logged value over iterations."""

    steps: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    @property
    def points(self) -> list[tuple[int, float]]:
        """Return (step, value) pairs."""
        return list(zip(self.steps, self.values, strict=True))


@dataclass
class TrainingLog:
    """The curves of one run: what each iteration logged and what each validation found."""

    name: str
    training: dict[str, Curve] = field(default_factory=dict)
    validation: dict[str, Curve] = field(default_factory=dict)
    resumes: list[int] = field(default_factory=list)
    """Iterations after which the run was continued by another process."""
    best_files: dict[int, str] = field(default_factory=dict)
    """Names of the checkpoints that the run kept as its best, by iteration."""

    @property
    def headline(self) -> str | None:
        """Return the validation score by which the run is judged, if there is one."""
        return next((name for name in HEADLINES if name in self.validation), None)

    @property
    def best(self) -> str:
        """Return a sentence that names the best validation, and its checkpoint where it was kept;
        empty without validations.
        """
        if self.headline is None:
            return ''
        points = [p for p in self.validation[self.headline].points if math.isfinite(p[1])]
        if not points:
            return ''
        step, value = max(points, key=lambda point: point[1])
        kept = f' ({self.best_files[step]})' if step in self.best_files else ''
        return f'Best {self.headline}: {value:.4g} at iteration {step}{kept}'


@dataclass(frozen=True)
class Advice:
    """How a run goes: ``state`` is improving, flat, overfitting, worsening or unknown; ``since`` an
    iteration.
    """

    state: str
    since: int | None
    text: str


def read_log(work_dir: str | Path) -> TrainingLog:
    """Read MMEngine's ``<time>/vis_data/scalars.json`` files below a work directory.

    Where a resumed process repeated iterations that an earlier one had done, the later one counts.
    A last line that was cut off is passed over. Raises :class:`LadaError` where there is no log.
    """
    work_dir = Path(work_dir)
    files = sorted(work_dir.glob('*/vis_data/scalars.json')) or sorted(
        work_dir.glob('vis_data/scalars.json')
    )
    log = TrainingLog(work_dir.resolve().name)
    kept = sorted(work_dir.glob('best_*_iter_*.pth'))
    log.best_files = {step: path.name for path in kept if (step := iteration_of(path)) >= 0}
    seen = False
    for file in files:
        records = _records(file)
        if not records:
            continue
        # A resumed run may begin with the validation that the stopped one had still owed.
        validates_first = 'iter' not in records[0]
        start = _resumed_at(file)
        if start is None:
            start = records[0]['step'] if validates_first else records[0]['step'] - 1
        if seen:
            _forget(log.training, start)
            _forget(log.validation, start - validates_first)
            log.resumes = [at for at in log.resumes if at < start]
            if start > 0 and any('iter' in record for record in records):
                log.resumes.append(start)
        for record in records:
            _add(log, record)
        seen = True
    if not log.training and not log.validation:
        raise LadaError(
            f'no training log in {work_dir}; name the work directory of a run, in which the dated'
            ' folders are'
        )
    return log


def advise(log: TrainingLog) -> Advice:
    """Say whether a run is still improving, flat or overfitting, and since which iteration."""
    if log.headline is None:
        return Advice(
            'unknown',
            None,
            'no validation was logged: add val_dataloader, val_cfg and val_evaluator',
        )
    curve = log.validation[log.headline]
    steps = [step for step, value in curve.points if math.isfinite(value)]
    values = [value for value in curve.values if math.isfinite(value)]
    count = len(values)
    if count < MIN_VALIDATIONS:
        return Advice(
            'unknown', None, f'{count} validations so far; {MIN_VALIDATIONS} are needed to judge'
        )
    smooth = [
        statistics.median(values[max(i - 1, 0) : i + 2]) if 0 < i < count - 1 else values[i]
        for i in range(count)
    ]
    noise = statistics.fmean(
        abs(value - level) for value, level in zip(values, smooth, strict=True)
    )
    tolerance = max(SMALL, 2 * noise)
    tail = max(2, count // 4)
    best = max(range(count), key=lambda i: (smooth[i], values[i]))
    now = statistics.fmean(values[-tail:])
    if best < count - tail and smooth[best] - now > tolerance:
        since, drop = steps[best], smooth[best] - now
        if _loss_fell(log, since):
            return Advice(
                'overfitting',
                since,
                f'overfitting since iteration {since}: {log.headline} fell by {drop:.2f} dB while'
                ' the loss went on falling; use the checkpoint of that iteration, or more clips',
            )
        return Advice(
            'worsening',
            since,
            f'getting worse since iteration {since}: {log.headline} fell by '
            f'{drop:.2f} dB and the loss did not fall either; lower the learning rate',
        )
    flat = next(i for i in range(count) if smooth[best] - smooth[i] <= tolerance)
    if count - 1 - flat >= max(3, tail):
        return Advice(
            'flat',
            steps[flat],
            f'flat since iteration {steps[flat]}: {log.headline} stays within '
            f'{tolerance:.2f} dB; more iterations at this learning rate will hardly help',
        )
    return Advice(
        'improving',
        None,
        f'still improving: {log.headline} is {values[-1]:.2f} dB at iteration '
        f'{steps[-1]}; train on',
    )


def _loss_fell(log: TrainingLog, since: int) -> bool:
    curve = log.training.get('loss', Curve())
    before = [value for step, value in curve.points if step <= since and math.isfinite(value)]
    after = [value for step, value in curve.points if step > since and math.isfinite(value)]
    if not before or not after:
        return False
    recent = max(1, len(after) // 2)
    return statistics.fmean(after[-recent:]) < statistics.fmean(before[-recent:])


def _records(file: Path) -> list[dict]:
    records = []
    lines = file.read_text(encoding='utf-8', errors='replace').splitlines()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            if number == len(lines):
                break  # the process was killed while writing it
            raise LadaError(
                f'a damaged log: {file}, line {number} ({error}); remove the line'
            ) from error
        if isinstance(record, dict) and isinstance(record.get('step'), int):
            records.append(record)
    return records


def _resumed_at(file: Path) -> int | None:
    """Return the iteration from which the run of a scalars.json continued, 0: none; ``None``
    without a text log.
    """
    logs = sorted(file.parents[1].glob('*.log'))
    if not logs:
        return None
    found = _RESUMED.search(
        '\n'.join(log.read_text(encoding='utf-8', errors='replace') for log in logs)
    )
    return int(found.group(1)) if found else 0


def _add(log: TrainingLog, record: dict) -> None:
    # Only what the training loop logs carries its iteration; a validation carries the step alone.
    curves = log.training if 'iter' in record else log.validation
    for name, value in record.items():
        if name not in _NOT_VALUES and isinstance(value, (int, float)):
            curve = curves.setdefault(name, Curve())
            curve.steps.append(record['step'])
            curve.values.append(float(value))


def _forget(curves: dict[str, Curve], last: int) -> None:
    """Drop what was logged after iteration ``last``."""
    for curve in curves.values():
        kept = [
            (step, value)
            for step, value in zip(curve.steps, curve.values, strict=True)
            if step <= last
        ]
        curve.steps, curve.values = [step for step, _ in kept], [value for _, value in kept]
