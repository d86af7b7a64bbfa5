"""Checkpoints on a schedule, written in the background in an order that a power cut cannot break."""

import os.path as osp
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook as _CheckpointHook

from lada.engine.background_writer import BackgroundWriter
from lada.engine.checkpoint import LAST_CHECKPOINT
from lada.errors import LadaError
from lada.files import write_atomically
from lada.registry import HOOKS


@HOOKS.register_module()
class CheckpointHook(_CheckpointHook):
    """MMEngine's hook with durable writes that do not hold up training.

    The state is serialised in memory at the iteration's end and written by a thread, one checkpoint at a time: the
    checkpoint first, then ``last_checkpoint``, and only then are the oldest ones deleted. A failed write ends the run
    at the next iteration. Arguments are MMEngine's; checkpoints are local files.
    """

    def before_train(self, runner) -> None:
        super().before_train(runner)
        self._writer = BackgroundWriter()
        if is_main_process():
            # What a killed run was in the middle of writing.
            for leftover in Path(self.out_dir).glob('.iter_*.tmp'):
                leftover.unlink()

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        self._writer.check()

    def after_train(self, runner) -> None:
        self._writer.wait()
        super().after_train(runner)

    def save_now(self, runner) -> None:
        """Save the iteration that has just ended, unless the schedule already has, and wait until it is on disk."""
        step = runner.iter + 1
        if self.last_ckpt is None or not str(self.last_ckpt).endswith(self.filename_tmpl.format(step)):
            self._save_checkpoint(runner)
        self._writer.wait()

    def _save_checkpoint_with_step(self, runner, step, meta):
        expired = self._expire(step) if self.max_keep_ckpts > 0 else []
        if self.max_keep_ckpts > 0:
            # Saved inside the checkpoint, hence updated before it is written.
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
        self.last_ckpt = osp.join(self.out_dir, self.filename_tmpl.format(step))
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        if not is_main_process():
            return
        data = runner.snapshot(meta, self.save_optimizer, self.save_param_scheduler)
        files = [Path(self.out_dir) / self.filename_tmpl.format(old) for old in expired]
        self._writer.submit(lambda: _write(Path(self.last_ckpt), data, Path(runner.work_dir) / LAST_CHECKPOINT, files))

    def _expire(self, step: int) -> list[int]:
        """Note ``step`` as kept and return the steps whose checkpoints are no longer wanted."""
        if step in self.keep_ckpt_ids:
            return []
        expired = [self.keep_ckpt_ids.popleft()] if len(self.keep_ckpt_ids) == self.max_keep_ckpts else []
        self.keep_ckpt_ids.append(step)
        return expired


def _write(path: Path, data: bytes, hint: Path, expired: list[Path]) -> None:
    try:
        write_atomically(path, data)
        write_atomically(hint, str(path).encode())
        for old in expired:
            old.unlink(missing_ok=True)
    except OSError as error:
        raise LadaError(f'checkpoint {path} could not be written ({error.strerror or error}); make room or choose '
                        'another --work-dir, then run the same command again: earlier checkpoints are untouched'
                        ) from error
