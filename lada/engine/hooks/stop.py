"""Ending a run cleanly when a signal asks for it."""

import signal

import torch
from mmengine.dist import all_reduce, is_distributed
from mmengine.hooks import Hook

from lada.engine.hooks.checkpoint import CheckpointHook
from lada.engine.optim import update_is_complete
from lada.registry import HOOKS
from lada.signals import STOPPING


@HOOKS.register_module()
class StopHook(Hook):
    """On SIGTERM, SIGINT or SIGUSR1 (which SLURM sends ahead of a time limit when a job asks for
    it): finish the iteration (all those of a gradient accumulation), save, stop.

    All ranks stop after the same iteration. A second SIGINT ends the process at once. The handlers
    are in place while the Runner trains.
    """

    # After the checkpoint hook, which may just have saved this iteration.
    priority = 'LOWEST'

    def __init__(self):
        self._received: int | None = None
        self._previous: dict = {}

    def before_train(self, runner) -> None:
        for number in STOPPING:
            self._previous[number] = signal.signal(number, self._handle)

    def after_run(self, runner) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        if not self._agreed() or not update_is_complete(runner.optim_wrapper):
            return
        name = signal.Signals(self._received).name if self._received else 'a signal to another rank'
        runner.logger.info(
            f'Stopping after iteration {runner.iter + 1} because of {name}; '
            'run the same command to continue'
        )
        for hook in runner.hooks:
            if isinstance(hook, CheckpointHook):
                hook.save_now(runner)
        runner.train_loop.stop_training = True

    def _handle(self, number, frame) -> None:
        if number == signal.SIGINT and self._received == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            raise KeyboardInterrupt
        self._received = number

    def _agreed(self) -> bool:
        if not is_distributed():
            return self._received is not None
        asked = torch.tensor(int(self._received is not None))
        all_reduce(asked, 'max')
        return bool(asked)
