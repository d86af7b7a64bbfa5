"""A training as it is watched on a terminal."""

import time
from collections.abc import Mapping, Sized
from typing import Any, cast

import torch
from mmengine.dist import get_world_size
from mmengine.hooks import Hook, LoggerHook
from rich.box import SIMPLE_HEAD
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from lada.checkpoints.finding import GAIN
from lada.cli import usable_cores
from lada.evaluation.metrics.mosaic_gain import MODEL
from lada.evaluation.results import BASELINES
from lada.models.unwrapping import network_of
from lada.registry import HOOKS
from lada.text import counted, human_seconds

_REFRESH = 0.2
"""Seconds between two drawings of the bar. A thread that draws would be forked with loader workers,
and its lock with it.
"""
_ESTIMATE_AT = 3
"""Iterations after which time is told: the first takes longer than the others."""


@HOOKS.register_module()
class ConsoleHook(Hook):
    """Show a header, a line as often as the logger logs, a table of each validation, and a bar.

    The runner adds it where stdout is a terminal (``runner.console``), and only there.
    """

    # Behind the logger, whose figures it shows.
    priority = 'VERY_LOW'

    def __init__(self):
        self._interval = 10
        self._begun = 0
        self._drawn = 0.0
        self._scores: dict[str, float] = {}
        self._bar: Progress | None = None
        self._training = self._validating = None

    def before_train(self, runner) -> None:
        self._interval = next(
            (hook.interval for hook in runner.hooks if isinstance(hook, LoggerHook)), self._interval
        )
        self._begun = runner.iter
        runner.console.print(header(runner))
        self._bar = Progress(
            TextColumn('{task.description}'),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn('{task.fields[left]}'),
            console=runner.console,
            auto_refresh=False,
            transient=True,
        )
        self._training = self._bar.add_task(
            'training', total=runner.max_iters, completed=runner.iter, left=''
        )
        self._bar.start()

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        if self._bar is None or self._training is None:
            return
        done, left = runner.iter + 1, runner.message_hub.get_info('eta')
        time_left = f'{human_seconds(left)} left' if left else ''
        self._bar.update(self._training, completed=done, left=time_left)
        if done - self._begun == _ESTIMATE_AT and left:
            runner.console.print(f'estimate  about {human_seconds(left)}, without validation')
        if self.every_n_inner_iters(batch_idx, self._interval):
            rate = next(iter(runner.optim_wrapper.get_lr().values()), [None])[0]
            parts = [f'{done:>7,} of {runner.max_iters:,}', *losses(runner), time_left]
            parts.insert(-1, '' if rate is None else f'lr {rate:.2g}')
            if GAIN in self._scores:
                parts.append(f'gain {self._scores[GAIN]:+.2f} dB')
            runner.console.print('  '.join(filter(None, parts)))
        self._draw()

    def before_val(self, runner) -> None:
        if self._bar is not None:
            total = len(cast(Sized, runner.val_dataloader))
            self._validating = self._bar.add_task('validation', total=total, left='')

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        if self._bar is not None and self._validating is not None:
            self._bar.update(self._validating, completed=batch_idx + 1)
            self._draw()

    def after_val_epoch(self, runner, metrics=None) -> None:
        if self._bar is not None and self._validating is not None:
            self._bar.remove_task(self._validating)
            self._validating = None
            self._bar.refresh()
        if metrics:
            runner.console.print(validation_table(runner.iter, metrics, self._scores))
            self._scores = dict(metrics)

    def after_train(self, runner) -> None:
        self.stop()

    def stop(self) -> None:
        """Take the bar away; it hides the cursor as long as it is there."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _draw(self) -> None:
        now = time.monotonic()
        if self._bar is not None and now - self._drawn >= _REFRESH:
            self._drawn = now
            self._bar.refresh()


def header(runner: Any) -> Table:
    """Return what is trained, on what, with what and where."""
    network = network_of(runner.model)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    clips = f'{counted(len(runner.train_dataloader.dataset), "clip")}'
    if runner.val_loop is not None:
        clips += f', {len(runner.val_dataloader.dataset):,} for validation'
    if torch.cuda.is_available():
        device = torch.cuda.get_device_name()
    else:
        device = f'CPU, {counted(usable_cores(), "core")}'
    if get_world_size() > 1:
        device += f', {get_world_size()} processes'
    batch = counted(runner.train_loop.global_batch_size, 'clip')
    table = Table.grid(padding=(0, 2))
    for row in (
        ('network', f'{type(network).__name__}, {parameters:,} parameters'),
        ('data', clips),
        ('device', device),
        ('training', f'iterations {runner.iter:,} to {runner.max_iters:,} of {batch}'),
        ('log', runner.logger.log_file or runner.log_dir),
    ):
        table.add_row(*map(str, row))
    return table


def losses(runner: Any) -> list[str]:
    """Return the total loss in words, or its parts where a model has several totals."""
    scalars = runner.message_hub.log_scalars
    names = (
        ['train/loss'] if 'train/loss' in scalars else [name for name in scalars if 'loss' in name]
    )
    window = runner.log_processor.window_size
    return [
        f'{name.removeprefix("train/")} {scalars[name].mean(window):.4g}'
        for name in names
        if name.startswith('train/')
    ]


def validation_table(
    iteration: int, metrics: Mapping[str, float], before: Mapping[str, float]
) -> Table:
    """Return the scores of a validation, a column for each restoration that they are of.

    Args:
        iteration: after which it was.
        metrics: the scores; ``SCORE_METHOD`` is of a restoration, others are the network's.
        before: those of the last validation of this process, if there was one.
    """
    rows: dict[str, dict[str, str]] = {}
    for name in metrics:
        score, _, method = name.rpartition('_')
        known = score and method in (*BASELINES, MODEL)
        rows.setdefault(score if known else name, {})[method if known else MODEL] = name
    columns = [each for each in (*BASELINES, MODEL) if any(each in row for row in rows.values())]
    title = f'validation at {iteration:,}'
    table = Table(title, *columns, box=SIMPLE_HEAD, padding=(0, 1))
    if before:
        table.add_column('before')
    for column in table.columns[1:]:
        column.justify = 'right'
    for score, names in rows.items():
        values = [_figure(metrics, names.get(column)) for column in columns]
        table.add_row(score, *values, *([_figure(before, names.get(MODEL))] if before else []))
    return table


def _figure(values: Mapping[str, float], name: str | None) -> str:
    return '' if name is None or name not in values else f'{values[name]:.4f}'
