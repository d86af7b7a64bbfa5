"""Training loop whose data continues at the next sample, and MMagic's names for the evaluation
loops.
"""

import os
from typing import Any

import torch
from mmengine.dist import all_gather_object, get_world_size
from mmengine.runner import TestLoop, ValLoop

from lada.data.dataset import SAMPLES_VERSION
from lada.engine.loader import loader_errors
from lada.engine.mmengine_private import OpenTrainLoop
from lada.errors import LadaError
from lada.registry import LOOPS

RESUME_VARIABLE = 'MMENGINE_RESUME_DATALOADER'
SAMPLES_CONSUMED = 'samples_consumed'
# MMEngine logs what is called val... with each validation.
VALIDATED_ITER = 'last_validated_iter'
BATCH_LAYOUT = 'batch_layout'
INSTRUCTIONS = 'cpu_instructions'
SAMPLES = 'samples_version'


def replays_batches() -> bool:
    """Return whether ``MMENGINE_RESUME_DATALOADER`` asks for MMEngine's batch-by-batch replay (0 or
    unset: no).
    """
    value = os.environ.get(RESUME_VARIABLE, '0')
    if value not in ('0', '1'):
        raise LadaError(
            f'{RESUME_VARIABLE}={value} is not understood; set it to 0 (continue at the next'
            ' sample) or 1 (replay every batch)'
        )
    return value == '1'


@LOOPS.register_module()
class IterBasedTrainLoop(OpenTrainLoop):
    """MMEngine's loop, resuming the data as ``MMENGINE_RESUME_DATALOADER`` says.

    The number of samples consumed over all ranks lives in the message hub, hence in every
    checkpoint: it places Lada's sampler exactly, also when the number of processes or the batch
    size has changed.
    """

    def run_iter(self, data_batch) -> None:
        # Before the hooks run, so that a checkpoint of this iteration counts this iteration's
        # samples.
        hub = self.runner.message_hub
        consumed = hub.runtime_info.get(SAMPLES_CONSUMED, 0) + self.global_batch_size
        hub.update_info(SAMPLES_CONSUMED, consumed)
        super().run_iter(data_batch)

    @property
    def batch_size(self) -> int:
        """Samples an iteration takes on one rank."""
        loader: Any = self.dataloader
        return loader.batch_size or loader.batch_sampler.batch_size

    @property
    def global_batch_size(self) -> int:
        """Samples an iteration takes over all ranks."""
        return self.batch_size * get_world_size()

    def run(self):
        """Launch training."""
        self.runner.call_hook('before_train')
        self.runner.call_hook('before_train_epoch')
        if self.iter > 0:
            # A checkpoint is written before the validation of its iteration (and again after it),
            # so the validation may have been lost with the run.
            self._validate_if_due()
        if self.iter >= self.max_iters:
            self.runner.logger.info(
                f'The run already reached its last iteration ({self.max_iters}): nothing to do. '
                'Raise train_cfg.max_iters to train on, or start over with --no-resume'
            )
        elif self.iter > 0:
            self._place_data()
        self._note_batch_layout()
        self._note_instructions()
        self._note_samples()
        # Twice: PyTorch's signal handler raises the news of a worker's death at any time, in error
        # handling too.
        with loader_errors(self.dataloader.dataset), loader_errors(self.dataloader.dataset):
            while self.iter < self.max_iters and not self.stop_training:
                self.runner.model.train()
                self.run_iter(next(self.dataloader_iterator))
                # A run that was told to stop is resumed here, and validates then.
                if not self.stop_training:
                    self._validate_if_due()
        self.runner.call_hook('after_train_epoch')
        self.runner.call_hook('after_train')
        return self.runner.model

    def _validate_if_due(self) -> None:
        self.update_val_interval()
        hub = self.runner.message_hub
        if (
            self.runner.val_loop is not None
            and self.iter >= self.val_begin
            and (self.iter % self.val_interval == 0 or self.iter == self.max_iters)
            and hub.runtime_info.get(VALIDATED_ITER) != self.iter
        ):
            # Noted first, for the checkpoint that is saved when the scores are there.
            hub.update_info(VALIDATED_ITER, self.iter)
            self.runner.val_loop.run()

    def _note_batch_layout(self) -> None:
        """Say when the run continues on another number of processes or with another batch size."""
        hub, log = self.runner.message_hub, self.runner.logger
        before, now = hub.runtime_info.get(BATCH_LAYOUT), [get_world_size(), self.batch_size]
        hub.update_info(BATCH_LAYOUT, now)
        if before is None or list(before) == now:
            return
        change = f'{_layout(*before)} became {_layout(*now)}'
        if before[0] * before[1] == now[0] * now[1]:
            log.info(f'{change}: every iteration sees the same samples as before')
        else:
            log.warning(
                f'{change}: an iteration now takes {now[0] * now[1]} samples instead of'
                f' {before[0] * before[1]}; the data continues at the next sample, the learning'
                ' rate is kept'
            )

    def _note_instructions(self) -> None:
        """Say by which instructions the processors compute: kernels are chosen by them, and others
        round otherwise.
        """
        hub, log = self.runner.message_hub, self.runner.logger
        of_ranks: list[Any] = all_gather_object(torch.backends.cpu.get_cpu_capability())
        now = ', '.join(sorted(set(of_ranks)))
        before = hub.runtime_info.get(INSTRUCTIONS)
        hub.update_info(INSTRUCTIONS, now)
        if before in (None, now):
            log.info(f'Processor: {now}, {torch.get_num_threads()} threads')
        else:
            log.info(
                f'Processor: {before} before, {now} now: the run goes on from the same weights, but'
                ' rounds otherwise'
            )
        if len(set(of_ranks)) > 1:
            log.warning(
                'The processors of the ranks differ; ATEN_CPU_CAPABILITY, set on all of them to'
                ' what all have (avx2, default), makes them compute alike'
            )

    def _note_samples(self) -> None:
        """Say when this version makes other samples than the one that the run comes from."""
        hub = self.runner.message_hub
        before = hub.runtime_info.get(SAMPLES, 1) if self.iter else SAMPLES_VERSION
        hub.update_info(SAMPLES, SAMPLES_VERSION)
        if before != SAMPLES_VERSION:
            self.runner.logger.info(
                f'Samples: version {before} before, {SAMPLES_VERSION} now: the run goes on with the'
                ' same clips and looks, but their pixels are computed otherwise'
            )

    def _place_data(self) -> None:
        """Put the data stream where the resumed iteration needs it."""
        hub, log = self.runner.message_hub, self.runner.logger
        consumed = hub.runtime_info.setdefault(SAMPLES_CONSUMED, self.iter * self.global_batch_size)
        if replays_batches():
            log.info(f'{RESUME_VARIABLE}=1: replaying {self.iter} batches')
            for _ in range(self.iter):
                next(self.dataloader_iterator)
            return
        sampler: Any = self.dataloader.sampler
        if not hasattr(sampler, 'load_state_dict'):
            log.warning(
                f'{type(sampler).__name__} has no state: no batch is replayed and the data starts'
                ' afresh; use InfiniteSampler to continue at the next sample'
            )
            return
        sampler.load_state_dict(dict(consumed=consumed))
        # An iterator made before the sampler was placed may already have prefetched from the start.
        self.restart_data()
        log.info(f'The data continues at sample {consumed} of the stream; no batch is replayed')


def _layout(processes: int, batch_size: int) -> str:
    return f'{processes} process{"es" if processes > 1 else ""} × batch {batch_size}'


@LOOPS.register_module()
class MultiValLoop(ValLoop):
    """MMagic's name for the validation loop."""


@LOOPS.register_module()
class MultiTestLoop(TestLoop):
    """MMagic's name for the test loop."""
