"""Checkpoints on a schedule, in an order that a power cut cannot break."""

import os.path as osp

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook as _CheckpointHook

from lada.engine.checkpoint import LAST_CHECKPOINT
from lada.engine.storage import BACKEND_NAME
from lada.registry import HOOKS


@HOOKS.register_module()
class CheckpointHook(_CheckpointHook):
    """MMEngine's hook with durable writes and a safe order.

    The new checkpoint is on disk first, then ``last_checkpoint``, and only then are the oldest ones deleted.
    Arguments are MMEngine's.
    """

    def __init__(self, *args, backend_args: dict | None = None, **kwargs):
        super().__init__(*args, backend_args=backend_args or dict(backend=BACKEND_NAME), **kwargs)

    def _save_checkpoint_with_step(self, runner, step, meta):
        expired = self._expire(step) if self.max_keep_ckpts > 0 else []
        if self.max_keep_ckpts > 0:
            # Saved inside the checkpoint, hence updated before it is written.
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
        name = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir, name, save_optimizer=self.save_optimizer, save_param_scheduler=self.save_param_scheduler,
            meta=meta, by_epoch=self.by_epoch, backend_args=self.backend_args, **self.args)
        if not is_main_process():
            return
        self.file_backend.put_text(self.last_ckpt, osp.join(runner.work_dir, LAST_CHECKPOINT))
        for old in expired:
            path = self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(old))
            if self.file_backend.isfile(path):
                self.file_backend.remove(path)

    def _expire(self, step: int) -> list[int]:
        """Note ``step`` as kept and return the steps whose checkpoints are no longer wanted."""
        if step in self.keep_ckpt_ids:
            return []
        expired = [self.keep_ckpt_ids.popleft()] if len(self.keep_ckpt_ids) == self.max_keep_ckpts else []
        self.keep_ckpt_ids.append(step)
        return expired
