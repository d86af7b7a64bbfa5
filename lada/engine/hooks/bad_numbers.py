"""Telling the user about updates that were skipped, and stopping when they do not end."""

from mmengine.hooks import Hook

from lada.engine.hooks.batch import gather, sample_names
from lada.engine.optim import single_wrappers, update_is_complete
from lada.errors import LadaError
from lada.registry import HOOKS

SKIPPED_IN_A_ROW = 'updates_skipped_in_a_row'


@HOOKS.register_module()
class BadNumbersHook(Hook):
    """Log each update skipped for a non-finite loss or gradient; stop after too many in a row.

    The count is in every checkpoint, and all ranks stop alike.

    Args:
        max_consecutive: the run stops after so many skipped updates in a row.
    """

    def __init__(self, max_consecutive: int = 10):
        self.max_consecutive = max_consecutive
        self._names: list[str] = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self._names += sample_names(data_batch)
        if not update_is_complete(runner.optim_wrapper):
            return
        names, self._names = self._names, []
        hub = runner.message_hub
        if not any(
            getattr(wrapper, 'skipped', False) for wrapper in single_wrappers(runner.optim_wrapper)
        ):
            if hub.runtime_info.get(SKIPPED_IN_A_ROW):
                hub.update_info(SKIPPED_IN_A_ROW, 0)
            return
        in_a_row = hub.runtime_info.get(SKIPPED_IN_A_ROW, 0) + 1
        hub.update_info(SKIPPED_IN_A_ROW, in_a_row)
        names = ', '.join(gather(names))
        runner.logger.warning(
            f'Iteration {runner.iter + 1}: loss or gradient is not finite, update skipped ({names})'
        )
        if in_a_row >= self.max_consecutive:
            last = hub.runtime_info.get('last_ckpt')
            raise LadaError(
                f'{in_a_row} updates in a row had a non-finite loss or gradient, last with {names};'
                ' lower the learning rate or look at these clips, then '
                + (f'resume from {last}' if last else 'start again')
            )
