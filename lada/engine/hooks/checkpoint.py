"""Checkpoints on a schedule, written in the background in an order that a power cut cannot
break.
"""

import math
import os.path as osp
from collections.abc import Collection
from inspect import signature
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.evaluator import Evaluator

from lada.checkpoints.background_writer import BackgroundWriter
from lada.checkpoints.finding import LAST_CHECKPOINT
from lada.engine.mmengine_private import OpenCheckpointHook
from lada.engine.optim import update_is_complete
from lada.engine.work_dir import checkpoint_folder
from lada.errors import LadaError
from lada.evaluation.metrics.clip_metric import ClipMetric
from lada.evaluation.scores import score_names
from lada.files import write_atomically
from lada.registry import HOOKS
from lada.text import reason

KEPT, EXPIRED = 'keep_ckpt_ids', 'expired_ckpt_ids'


@HOOKS.register_module()
class CheckpointHook(OpenCheckpointHook):
    """MMEngine's hook with durable writes that do not hold up training.

    The state is serialised in memory at the iteration's end and written by a thread, one checkpoint
    at a time: the checkpoint first, then ``last_checkpoint``, and only then are the oldest ones
    deleted. A failed write ends the run at the next iteration. Arguments are MMEngine's;
    checkpoints are local files.

    A checkpoint waits for the end of a gradient accumulation, whose gradients it could not hold.
    One that is followed by a validation is saved again after it, so that a resumed run neither
    repeats the validation nor lacks its scores.

    ``save_best`` takes the name of any score that validation reports, or ``auto``, the first; the
    rule follows from the score.
    """

    def __init__(self, *args, **kwargs):
        known = set(signature(OpenCheckpointHook.__init__).parameters) - {'self', 'kwargs'}
        if unknown := sorted(set(kwargs) - known):
            raise LadaError(
                f'CheckpointHook: unknown argument {", ".join(map(repr, unknown))} in'
                f' default_hooks.checkpoint; it knows {", ".join(sorted(known))}'
            )
        kwargs.setdefault(
            'greater_keys',
            ['psnr', 'ssim', 'gain', *score_names(higher_is_better=True), *self.known_greater_keys],
        )
        kwargs.setdefault(
            'less_keys', [*score_names(higher_is_better=False), *self.known_less_keys]
        )
        super().__init__(*args, **kwargs)
        self._writer = BackgroundWriter()
        self._due = False
        self._trains = False
        self._saved_iter: int | None = None
        self._expired: list[int] = []

    def check(self, runner) -> None:
        """Raise :class:`LadaError` where ``save_best`` names what no validation reports."""
        # MMagic's loops have several, and say none before they run.
        evaluator = getattr(runner.val_loop, 'evaluator', None)
        if evaluator is not None and (names := _result_names(evaluator)):
            self._check_best(names)

    def before_train(self, runner) -> None:
        self.check(runner)
        folder = checkpoint_folder(runner.work_dir, self.out_dir)
        if (
            runner.resumed_from is not None
            and runner.resumed_from.resolve().parent != folder.resolve()
        ):
            # Those names stand for checkpoints elsewhere.
            runner.message_hub.update_info(KEPT, [])
            runner.message_hub.update_info(EXPIRED, [])
        super().before_train(runner)
        self._trains = True
        self._saved_iter = runner.iter if runner.resumed_from is not None else None
        self._expired = list(runner.message_hub.runtime_info.get(EXPIRED, []))
        if is_main_process():
            _delete(self._paths(self._expired))
            _delete_temporary_files(Path(self.out_dir), Path(runner.work_dir))

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        self._writer.check()

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        if self.by_epoch:
            return
        self._due |= self.every_n_train_iters(runner, self.interval, self.save_begin)
        if (self._due and update_is_complete(runner.optim_wrapper)) or (
            self.save_last and self.is_last_train_iter(runner)
        ):
            runner.logger.info(f'Saving checkpoint at {runner.iter + 1} iterations')
            self.save(runner)

    def after_val_epoch(self, runner, metrics) -> None:
        if not self._trains:
            return  # validation alone has no checkpoints
        saved_with = self._saved_iter
        self._saved_iter = None
        super().after_val_epoch(runner, metrics)
        if saved_with == runner.iter and self._saved_iter is None:
            self.save_step(runner, runner.iter, dict(epoch=runner.epoch, iter=runner.iter))
        self._saved_iter = self._saved_iter or saved_with

    def after_train(self, runner) -> None:
        self._writer.wait()
        super().after_train(runner)
        for key in self.key_indicators if self.save_best else ():
            path, score = self._best(runner, key)
            if path is not None and Path(path).is_file():
                runner.logger.info(f'Best checkpoint: {path} ({key} {score:.4g})')

    def _best(self, runner, key: str) -> tuple[str | None, float]:
        single = len(self.key_indicators) == 1
        path = self.best_ckpt_path if single else self.best_ckpt_path_dict.get(key)
        name = 'best_score' if single else f'best_score_{key}'
        return path, runner.message_hub.runtime_info.get(name, math.nan)

    def save_now(self, runner) -> None:
        """Save the iteration that has just ended, unless the schedule already has, and wait until
        it is on disk.
        """
        if self._saved_iter != runner.iter + 1:
            self.save(runner)
        self._writer.wait()

    def save_step(self, runner, step: int, meta: dict) -> None:
        self._due = False
        if self.max_keep_ckpts > 0:
            self._expire(step)
            # Saved inside the checkpoint, hence updated before it is written. A run killed before
            # the deletion finds there what it has to delete.
            runner.message_hub.update_info(KEPT, list(self.keep_ckpt_ids))
            runner.message_hub.update_info(EXPIRED, self._expired)
        self.last_ckpt = osp.join(self.out_dir, self.filename_tmpl.format(step))
        self._saved_iter = meta['iter']
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        if not is_main_process():
            return
        path, hint, expired = (
            Path(self.last_ckpt),
            Path(runner.work_dir) / LAST_CHECKPOINT,
            self._paths(self._expired),
        )
        data = runner.snapshot(meta, self.save_optimizer, self.save_param_scheduler)
        self._writer.submit(lambda: _write(path, data, hint, expired))

    def save_best_one(self, runner, metrics: dict) -> None:
        if not self.save_best:
            return
        self._check_best(metrics)
        # MMEngine deletes the best one before its successor is written, so it is not told which one
        # that is.
        single = len(self.key_indicators) == 1
        before = dict(only=self.best_ckpt_path) if single else self.best_ckpt_path_dict
        if single:
            self.best_ckpt_path = None
        else:
            self.best_ckpt_path_dict = dict.fromkeys(before)
        super().save_best_one(runner, metrics)
        after = dict(only=self.best_ckpt_path) if single else self.best_ckpt_path_dict
        best = {key: after[key] or path for key, path in before.items()}
        if single:
            self.best_ckpt_path = best['only']
        else:
            self.best_ckpt_path_dict = best
        replaced = [Path(path) for key, path in before.items() if path and path != best[key]]
        if replaced and is_main_process():
            self._writer.wait()
            _delete(replaced)

    def _check_best(self, names: Collection[str]) -> None:
        for key in self.key_indicators if self.save_best else ():
            if key != 'auto' and key not in names:
                raise LadaError(
                    f'CheckpointHook: save_best={key!r} is no result of the validation; it has'
                    f' {", ".join(names)}'
                )

    def _expire(self, step: int) -> None:
        """Note ``step`` as kept, and which steps' checkpoints are no longer wanted then."""
        if step not in self.keep_ckpt_ids:
            self._expired = (
                [self.keep_ckpt_ids.popleft()]
                if len(self.keep_ckpt_ids) == self.max_keep_ckpts
                else []
            )
            self.keep_ckpt_ids.append(step)

    def _paths(self, steps: list[int]) -> list[Path]:
        return [Path(self.out_dir) / self.filename_tmpl.format(step) for step in steps]


def _result_names(evaluator: Evaluator) -> list[str]:
    """Return the names of a validation's results, none where they are not known in advance."""
    names = []
    for metric in evaluator.metrics:
        if not isinstance(metric, ClipMetric) or (found := metric.result_names()) is None:
            return []
        names += map(metric.full_name, found)
    return names


def _write(path: Path, data: bytes, hint: Path, expired: list[Path]) -> None:
    try:
        write_atomically(path, data)
        write_atomically(hint, str(path).encode())
        _delete(expired)
    except OSError as error:
        raise LadaError(
            f'checkpoint {path} could not be written ({reason(error)}); make room or'
            ' choose another --work-dir, then run the same command again: earlier checkpoints are'
            ' untouched'
        ) from error


def _delete(paths: list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _delete_temporary_files(*folders: Path) -> None:
    """Delete what a killed run was in the middle of writing."""
    for folder in dict.fromkeys(folders):
        for pattern in ('.iter_*.tmp', '.best_*.tmp', f'.{LAST_CHECKPOINT}.*.tmp'):
            _delete(list(folder.glob(pattern)))
