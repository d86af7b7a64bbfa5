"""Ending a distributed job in which a rank has died or hangs."""

from mmengine.dist import get_world_size
from mmengine.hooks import Hook

from lada.engine.distributed.watchdog import Watchdog
from lada.errors import JobError, LadaError
from lada.models.unwrapping import network_of
from lada.registry import HOOKS


@HOOKS.register_module()
class WatchdogHook(Hook):
    """End the process with one line that names the rank and its last action; idle with one process.

    Args:
        interval: seconds between two signs of life.
        dead_after: seconds without a sign of life after which a rank counts as dead.
        hung_after: seconds without progress of any rank after which the job counts as hung. One
            action (an iteration, waiting for a batch, predicting one validation batch) must not
            take longer.
    """

    # First in each round: other hooks exchange things, and whoever waits for a rank there is not
    # behind.
    priority = 'VERY_HIGH'

    def __init__(self, interval: float = 2, dead_after: float = 30, hung_after: float = 900):
        if not 0 < 4 * interval <= dead_after <= hung_after:
            raise LadaError(
                f'WatchdogHook: interval={interval}, dead_after={dead_after},'
                f' hung_after={hung_after}; each is in seconds, dead_after at least 4 intervals and'
                ' hung_after at least dead_after'
            )
        self.settings = dict(interval=interval, dead_after=dead_after, hung_after=hung_after)
        self.watchdog: Watchdog | None = None

    def before_run(self, runner) -> None:
        if get_world_size() == 1:
            return
        self.watchdog = Watchdog(**self.settings)
        network_of(runner.model).register_forward_hook(lambda *_: self._forward_done(runner))

    def before_train(self, runner) -> None:
        self._note('waiting for the first batch')

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        self._note(f'iteration {runner.iter + 1}: forward pass')

    def _forward_done(self, runner) -> None:
        if runner.model.training:
            self._note(f'iteration {runner.iter + 1}: backward pass and exchange of gradients')

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self._note(
            f'end of iteration {runner.iter + 1} or waiting for the batch of iteration'
            f' {runner.iter + 2}'
        )

    def before_val_epoch(self, runner) -> None:
        self._note('waiting for the first validation batch')

    def before_val_iter(self, runner, batch_idx, data_batch=None) -> None:
        self._note(f'validation batch {batch_idx + 1}')

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self._note(f'waiting for validation batch {batch_idx + 2} or the metrics')

    def after_val_epoch(self, runner, metrics=None) -> None:
        self._note(f'waiting for the batch of iteration {runner.iter + 1}')

    def after_run(self, runner) -> None:
        if self.watchdog is not None:
            self.watchdog.stop()

    def explain(self, error: Exception) -> Exception:
        """Return the error to raise in place of ``error``: one that names the rank whose end caused
        it, if any.
        """
        if self.watchdog is None:
            return error
        # Collectives that a dead rank breaks raise RuntimeErrors.
        blamed = self.watchdog.blame(error, may_be_a_consequence=isinstance(error, RuntimeError))
        self.watchdog.stop()
        return error if blamed is None else JobError(f'{blamed}; run the same command to continue')

    def _note(self, action: str) -> None:
        if self.watchdog is not None:
            self.watchdog.note(action)
