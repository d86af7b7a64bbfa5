"""How fast training goes, and which rank holds it up."""

import time

import torch
from mmengine.dist import all_gather, get_rank, get_world_size
from mmengine.hooks import Hook, LoggerHook

from lada.engine.peak_memory import peak_memory_mb
from lada.models.unwrapping import network_of
from lada.registry import HOOKS


@HOOKS.register_module()
class ThroughputHook(Hook):
    """Log speed over all ranks as often as the logger logs, under ``throughput/`` (log, JSON and
    TensorBoard).

    ``clips_per_s`` over all ranks; ``data_s`` and ``step_s``, an iteration's mean seconds of
    waiting for data and of everything else but validation, averaged over ranks;
    ``data_wait_percent``, the share of the former on the rank that waits longest; ``memory_mb``,
    the largest peak (of PyTorch's allocator on a GPU, of the process on a CPU); ``slowest_rank``
    and ``slowest_lag_percent``, by how much its own work exceeds the mean. A rank's own work is the
    wait for data plus the generator's forward pass: in the backward pass ranks wait for one
    another. JSON and TensorBoard also get data, step and memory of each rank, as
    ``throughput/rank_<n>/...``.

    The figures cover the iterations between two logs, the one that is being logged excepted.
    Wall-clock figures differ from run to run, hence the prefix of their own.
    """

    # After everything else in an iteration, so that logging and checkpoints count.
    priority = 'LOWEST'

    def __init__(self):
        self._interval = 10
        self._last = time.perf_counter()
        self._start_window()

    def before_train(self, runner) -> None:
        self._interval = next(
            (hook.interval for hook in runner.hooks if isinstance(hook, LoggerHook)), self._interval
        )
        network = network_of(runner.model)
        network.register_forward_pre_hook(self._mark)
        network.register_forward_hook(self._mark)
        self._start_window()
        self._last = time.perf_counter()

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if self._iterations and self.every_n_inner_iters(batch_idx, self._interval):
            self._publish(runner)
            self._start_window()
        self._data_s += self._lap()

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self._step_s += self._lap()
        self._iterations += 1

    def after_val_epoch(self, runner, metrics=None) -> None:
        self._lap()

    def _start_window(self) -> None:
        self._data_s = self._step_s = 0.0
        self._iterations = 0
        self._marks: list = []

    def _lap(self) -> float:
        before, self._last = self._last, time.perf_counter()
        return self._last - before

    def _mark(self, network, *_) -> None:
        """Note the beginning or the end of a forward pass."""
        if not network.training:
            return
        if torch.cuda.is_available():
            mark = torch.cuda.Event(enable_timing=True)
            mark.record()
        else:
            mark = time.perf_counter()
        self._marks.append(mark)

    def _publish(self, runner) -> None:
        forward_s = sum(
            _seconds_between(*pair)
            for pair in zip(self._marks[::2], self._marks[1::2], strict=True)
        )
        own = torch.tensor(
            [self._data_s, self._step_s, forward_s, peak_memory_mb()], dtype=torch.float64
        )
        ranks = torch.stack(all_gather(own)).cpu()
        data, step, forward, memory = ranks.unbind(1)
        work = data + forward
        clips = runner.train_loop.global_batch_size * self._iterations
        figures = dict(
            clips_per_s=clips / float((data + step).max()),
            data_s=float(data.mean()) / self._iterations,
            step_s=float(step.mean()) / self._iterations,
            data_wait_percent=100 * float((data / (data + step)).max()),
            memory_mb=float(memory.max()),
        )
        if get_world_size() > 1:
            figures |= dict(
                slowest_rank=int(work.argmax()),
                slowest_lag_percent=100 * float(work.max() / work.mean() - 1),
            )
        for name, value in figures.items():
            runner.message_hub.update_scalar(f'train/throughput/{name}', value)
        if get_rank() == 0 and get_world_size() > 1:
            table = {
                f'throughput/rank_{rank}/{name}': float(value)
                for rank in range(len(ranks))
                for name, value in dict(
                    data_s=data[rank] / self._iterations,
                    step_s=step[rank] / self._iterations,
                    memory_mb=memory[rank],
                ).items()
            }
            # The reader of logs tells training from validation by `iter`.
            runner.visualizer.add_scalars({**table, 'iter': runner.iter + 1}, step=runner.iter + 1)


def _seconds_between(start, end) -> float:
    if isinstance(start, float):
        return end - start
    end.synchronize()
    return start.elapsed_time(end) / 1000
