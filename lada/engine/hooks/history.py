"""When the recording of a run begins."""

from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.hooks import Hook

from lada.engine.history import History
from lada.engine.visualizer import Visualizer
from lada.registry import HOOKS


@HOOKS.register_module()
class HistoryHook(Hook):
    """Tell the Visualizer where the run goes on, and open its backends after the first iteration:
    early enough for a service that does not answer, late enough for a start that fails.
    """

    # After the other hooks: what fails there fails before anything is recorded.
    priority = 'LOWEST'

    def before_train(self, runner) -> None:
        if is_main_process() and isinstance(runner.visualizer, Visualizer):
            runner.visualizer.continue_from(History.of(Path(runner.work_dir), runner.iter))

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        if isinstance(runner.visualizer, Visualizer):
            runner.visualizer.open()
