"""Telling the user about updates that were skipped, and stopping when they do not end."""

from mmengine.hooks import Hook
from mmengine.optim import OptimWrapperDict

from lada.engine.batch import sample_names
from lada.errors import LadaError
from lada.registry import HOOKS


@HOOKS.register_module()
class BadNumbersHook(Hook):
    """Log each update skipped for a non-finite loss or gradient; stop after too many in a row.

    Args:
        max_consecutive: skipped updates in a row that are tolerated.
    """

    def __init__(self, max_consecutive: int = 10):
        self.max_consecutive = max_consecutive
        self._consecutive = 0

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        wrapper = runner.optim_wrapper
        wrappers = wrapper.values() if isinstance(wrapper, OptimWrapperDict) else [wrapper]
        if not any(getattr(wrapper, 'skipped', False) for wrapper in wrappers):
            self._consecutive = 0
            return
        self._consecutive += 1
        names = ', '.join(sample_names(data_batch))
        runner.logger.warning(f'Iteration {runner.iter + 1}: loss or gradient is not finite, update skipped ({names})')
        if self._consecutive > self.max_consecutive:
            last = runner.message_hub.runtime_info.get('last_ckpt')
            raise LadaError(f'{self._consecutive} updates in a row had a non-finite loss or gradient, last with '
                            f'{names}; lower the learning rate or look at these clips, then resume from {last}')
