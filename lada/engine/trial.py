"""One step tried before a training: what it takes."""

import math
import time
from collections.abc import Callable, Sized
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from lada.data import MosaicVideoDataset
from lada.engine.peak_memory import peak_memory_mb
from lada.engine.runner import Runner
from lada.models.unwrapping import unwrapped
from lada.text import counted, human_bytes, human_seconds


def describe_network(model: nn.Module) -> str:
    """Return how many parameters the generator has, and which of a model's are trained."""
    generator = getattr(unwrapped(model), 'generator', model)
    numbers = [sum(p.numel() for p in each.parameters()) for each in (generator, model)]
    line = f'network: {numbers[0]:,} parameters'
    if numbers[1] > numbers[0]:
        line += f', {numbers[1] - numbers[0]:,} more of what only trains'
    return line


def describe_data(dataset: object) -> str:
    """Return how many clips there are, and of how many videos where that is known."""
    clips = counted(len(cast(Sized, dataset)), 'clip')
    if not isinstance(dataset, MosaicVideoDataset):
        return clips
    return f'{clips} of {counted(len(dataset.sources), "source")}'


def sources_on_both_sides(runner: Runner) -> list[str]:
    """Return a line that says so where validation shows videos that training sees."""
    datasets = [loop.dataloader.dataset for loop in runner.built_loops]
    sides = [each.sources for each in datasets if isinstance(each, MosaicVideoDataset)]
    if len(sides) < 2:
        return []
    shared = len(np.intersect1d(sides[0], sides[1]))
    if not shared:
        return []
    return [
        f'note: clips of {counted(shared, "source")} are on both sides; validation will look better'
        ' than it is'
    ]


def try_step(runner: Runner, workers: int, done: int) -> list[str]:
    """Take two training steps and say what the second took. Nothing is put back: the runner is of
    no use afterwards.

    The flow network is trained in it, which the first ``fix_iter`` steps of a run leave out.

    Args:
        runner: built for training, see :meth:`Runner.rehearse`; its loader works in this process.
        workers: that the run's loader will have.
        done: iterations that the run has behind it.
    """
    model: Any = unwrapped(runner.model)
    if hasattr(model, 'step_counter'):
        model.step_counter.fill_(model.fix_iter)
    batches = iter(cast(Any, runner.train_loop).dataloader)
    runner.model.train()
    batch, data, step = {}, 0.0, 0.0
    for _ in range(2):
        batch, data = _timed(lambda: next(batches))
        _, step = _timed(lambda batch=batch: _train_step(runner, batch))
    if workers:
        needed = math.ceil(data / step)
        verdict = 'keep up' if needed <= workers else f'do not keep up, {needed} would'
        seconds = max(step, data / workers)
    else:
        verdict, seconds = 'wait for it', step + data
    left = runner.max_iters - done
    memory = human_bytes(round(peak_memory_mb() * 2**20))
    return [
        f'a step of {counted(len(batch["inputs"]), "clip")}: {step:.2f} s, {memory} at its peak',
        f'its data: {data:.2f} s in one process; num_workers={workers} {verdict}',
        f'{counted(left, "iteration")}: about {human_seconds(left * seconds)}, without validation',
    ]


def _train_step(runner: Runner, batch: dict) -> None:
    cast(Any, runner.model).train_step(batch, optim_wrapper=runner.optim_wrapper)


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    done = work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return done, time.perf_counter() - start
