"""MMEngine's Runner with safe loading and a data order that every rank and every restart shares."""

import copy
import io
import logging
import time
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import mmengine
import torch
from mmengine.config import ConfigDict
from mmengine.device import get_device
from mmengine.dist import is_main_process
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import weights_to_cpu
from mmengine.runner.checkpoint import get_state_dict

import lada
from lada.checkpoints.fitting import fit_state_dict, load_networks
from lada.checkpoints.reading import load_training_checkpoint
from lada.engine.batches import check_equal_clips
from lada.engine.compiling import compile_or_fall_back
from lada.engine.console import show_on, terminal
from lada.engine.hooks.console import ConsoleHook
from lada.engine.hooks.watchdog import WatchdogHook
from lada.engine.loader import check_loader_memory, with_defaults
from lada.engine.loops import replays_batches
from lada.engine.mmengine_private import OpenRunner, accumulated_iterations
from lada.engine.optim import single_wrappers
from lada.engine.schedules import changes, fast_forward, settings
from lada.errors import LadaError
from lada.files import write_atomically
from lada.models.out_of_memory import TRAINING, out_of_memory
from lada.models.placement import place
from lada.models.unwrapping import unwrapped
from lada.registry import MODEL_WRAPPERS, OPTIMIZERS, RUNNERS

DEFAULT_SEED = 42
_LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


@RUNNERS.register_module()
class Runner(OpenRunner):
    """A Runner whose sampler and dataset take their seed from ``randomness.seed`` on every rank.

    MMEngine hands the sampler no seed under ``diff_rank_seed=True``, so that it draws one, which no
    restart could repeat. Checkpoints are read without unpickling code and must fit the model
    exactly.
    """

    resumed_from: Path | None = None

    @classmethod
    def from_cfg(cls, cfg) -> 'Runner':
        return cast(Runner, super().from_cfg(share_seed(cfg)))

    @staticmethod
    def build_dataloader(dataloader, seed=None, diff_rank_seed=False):
        if not isinstance(dataloader, dict):
            return OpenRunner.build_dataloader(dataloader, seed, diff_rank_seed)
        dataloader = ConfigDict(with_defaults(dataloader))
        loader = OpenRunner.build_dataloader(dataloader, seed, diff_rank_seed)
        check_loader_memory('the data loader', loader.dataset, dataloader)
        check_equal_clips(loader.dataset, dataloader.get('batch_size', 1), loader.sampler)
        return loader

    def set_randomness(self, *args, **kwargs) -> None:
        super().set_randomness(*args, **kwargs)
        # PyTorch would also fill every new tensor with NaN, for code that reads memory it has not
        # written.
        torch.utils.deterministic.fill_uninitialized_memory = False  # pyright: ignore

    def build_logger(self, *args, **kwargs):
        logger = super().build_logger(*args, **kwargs)
        # MMEngine lists every parameter with a learning rate of its own: hundreds of lines at each
        # start.
        logger.addFilter(lambda record: not record.getMessage().startswith('paramwise_options'))
        if not torch.cuda.is_available():
            logger.addFilter(_count_processes)
        self.console = terminal()
        if self.console is not None:
            show_on(self.console, logger)
        return logger

    def build_visualizer(self, visualizer=None):
        return super().build_visualizer(visualizer or dict(type='Visualizer'))

    def register_default_hooks(self, hooks=None) -> None:
        own: dict[str, Any] = dict(
            bad_samples=dict(type='BadSamplesHook'),
            bad_numbers=dict(type='BadNumbersHook'),
            history=dict(type='HistoryHook'),
            stop=dict(type='StopHook'),
            watchdog=dict(type='WatchdogHook'),
            throughput=dict(type='ThroughputHook'),
            schedule_free=dict(type='ScheduleFreeHook'),
        )
        if self.console is not None:
            own['console'] = dict(type='ConsoleHook')
        for name, hook in (hooks or {}).items():
            own[name] = {**own.get(name, {}), **hook} if isinstance(hook, dict) else hook
        super().register_default_hooks(own)

    def train(self):
        try:
            with out_of_memory(TRAINING):
                return super().train()
        except Exception as error:
            watcher = next((hook for hook in self.hooks if isinstance(hook, WatchdogHook)), None)
            reason = error if watcher is None else watcher.explain(error)
            if reason is error:
                raise
            raise reason from error
        finally:
            for hook in self.hooks:
                if isinstance(hook, ConsoleHook):
                    hook.stop()

    def rehearse(self) -> None:
        """Build and load what :meth:`train` does before its first iteration."""
        self.build_for_training()
        self.load_or_resume()

    def release_loaders(self) -> None:
        """Let go of the data loaders, so that their workers end at once; nothing can be run then.

        Left to the garbage collector, which may close a worker's queue before its loader, every
        worker would be waited for in vain for some seconds.
        """
        for loop in self.built_loops:
            loop.dataloader = loop.dataloader_iterator = None  # pyright: ignore

    def compile_network(self) -> None:
        """Compile the generator's forward pass where the config's ``compile`` asks for it: True, or
        torch's options.

        MMEngine's compiles the whole training step and ends where that fails; a step cannot be
        repeated, this can.
        """
        options = self.cfg.get('compile')
        generator = getattr(unwrapped(self.model), 'generator', None)
        if not options or generator is None:
            return
        options = dict(options) if isinstance(options, dict) else {}
        generator.forward = compile_or_fall_back(generator.forward, **options)

    def load_or_resume(self) -> None:
        if self.resumes:
            super().load_or_resume()
        elif self.weights_to_load is None:
            self.logger.info('No checkpoint to resume: training starts afresh at iteration 0')
        else:
            load_networks(unwrapped(self.model), self.weights_to_load)
            self.note_loaded()
            self.logger.info(
                'No checkpoint to resume: training starts afresh from the weights in'
                f' {self.weights_to_load}'
            )

    def build_optim_wrapper(self, optim_wrapper):
        if isinstance(optim_wrapper, dict):
            for path, config in wrapper_configs(optim_wrapper).items():
                kind = (config.get('optimizer') or {}).get('type')
                # MMEngine's constructor takes a name it does not find for a class.
                if isinstance(kind, str) and OPTIMIZERS.get(kind) is None:
                    package, dot, _ = kind.partition('.')
                    hint = f'; it may be in a package: pip install {package}' if dot else ''
                    raise LadaError(f'{path}.optimizer: no optimizer is called {kind!r}{hint}')
        return super().build_optim_wrapper(optim_wrapper)

    def wrap_model(self, model_wrapper_cfg, model):
        name = (model_wrapper_cfg or {}).get('type')
        if isinstance(name, str):
            # MMEngine looks the name up among its own wrappers only.
            wrapper = MODEL_WRAPPERS.get(name)
            if wrapper is None:
                raise LadaError(f'model_wrapper_cfg: no wrapper is called {name}')
            model_wrapper_cfg = ConfigDict({**dict(model_wrapper_cfg or {}), 'type': wrapper})
        return super().wrap_model(model_wrapper_cfg, place(model, get_device()))

    def scale_lr(self, optim_wrapper, auto_scale_lr=None) -> None:
        """Multiply learning rates by samples an update / ``base_batch_size`` (``--auto-scale-lr``).

        An update takes processes × batch size × accumulated iterations. Linear, as in Goyal et al.
        2017, "Accurate, Large Minibatch SGD". What a scheduler states in absolute terms
        (``eta_min``) is left alone.
        """
        auto_scale_lr = auto_scale_lr or {}
        if not auto_scale_lr.get('enable', False):
            return
        for wrapper in single_wrappers(optim_wrapper):
            samples = self.world_size * self.train_batch_size * accumulated_iterations(wrapper)
            ratio = samples / auto_scale_lr['base_batch_size']
            for group in wrapper.optimizer.param_groups:
                group['lr'] *= ratio
            self.logger.info(
                f"Learning rate x {ratio:g}: {samples} samples an update, the config's rate is for "
                f'{auto_scale_lr["base_batch_size"]}'
            )

    def resume(self, filename, *args, **kwargs) -> None:
        rates = _first_rates(self._parameter_groups())
        wanted = settings(_scheduler_states(self.param_schedulers))
        super().resume(filename, *args, **kwargs)
        self.resumed_from = Path(filename)
        self._follow_config(rates, wanted)
        how = 'every batch is replayed first' if replays_batches() else 'no batch is replayed'
        self.logger.info(
            f'Resuming {filename}: training continues from iteration {self.iter}, {how}'
        )

    def _parameter_groups(self) -> list[dict]:
        wrappers = single_wrappers(cast(OptimWrapper | OptimWrapperDict, self.optim_wrapper))
        # Those of the optimizer, and what MMEngine logs as the base.
        return [group for wrapper in wrappers for group in wrapper.param_groups]

    def _follow_config(self, rates: list[float], wanted: list[dict]) -> None:
        """Let the config's learning rates and schedules hold where they were changed since the
        checkpoint was written, as if the run had had them from the start.

        Args:
            rates: the config's learning rates, by parameter group.
            wanted: the settings of the config's schedulers.
        """
        groups, kept = self._parameter_groups(), self._kept_settings
        if not (wanted or kept):  # without a schedule a rate is all there is
            wanted, kept = [{'lr': rates}], [{'lr': _first_rates(groups)}]
        changed = changes(wanted, kept)
        if not changed:
            return
        for group, rate in zip(groups, rates, strict=True):
            group['lr'] = rate
            group.pop('initial_lr', None)
        if self.cfg.get('param_scheduler') is not None:
            self.param_schedulers = self.build_param_scheduler(
                copy.deepcopy(self.cfg.param_scheduler)
            )
            fast_forward(self.param_schedulers, self.iter)
        self.logger.info(
            f'The learning rate follows the config, which was changed since: {changed}; it goes on'
            f' at {groups[-1]["lr"]:.3g}'
        )

    def load_checkpoint(self, filename, map_location='cpu', strict=True, revise_keys=()):
        """Load a training checkpoint: on the CPU and strictly, whatever MMEngine's other arguments
        say.
        """
        checkpoint = load_training_checkpoint(Path(filename))
        self._kept_settings = settings(checkpoint.get('param_schedulers'))
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        fit_state_dict(self.model, checkpoint['state_dict'], str(filename))
        self.note_loaded()
        return checkpoint

    def save_checkpoint(
        self,
        out_dir,
        filename,
        file_client_args=None,
        save_optimizer=True,
        save_param_scheduler=True,
        meta=None,
        by_epoch=True,
        backend_args=None,
    ) -> None:
        """Write a checkpoint at once; the scheduled ones are written by the checkpoint hook."""
        if is_main_process():
            meta = meta or dict(epoch=self.epoch, iter=self.iter + (not by_epoch))
            write_atomically(
                Path(out_dir) / filename, self.snapshot(meta, save_optimizer, save_param_scheduler)
            )

    @cached_property
    def _config_text(self) -> str:
        # Formatting takes a fifth of a second: every checkpoint would wait for it.
        return self.cfg.pretty_text

    def snapshot(
        self, meta: dict, save_optimizer: bool = True, save_param_scheduler: bool = True
    ) -> bytes:
        """Return the whole state as the bytes of a checkpoint file, with MMEngine's keys.

        ``meta`` names ``epoch`` and ``iter``; seed, config, experiment name and versions are added.
        """
        checkpoint = dict(
            meta={
                **meta,
                'cfg': self._config_text,
                'seed': self.seed,
                'experiment_name': self.experiment_name,
                'time': time.strftime('%Y%m%d_%H%M%S'),
                'mmengine_version': mmengine.__version__,
                'lada_version': lada.__version__,
                'dataset_meta': getattr(self.train_dataloader.dataset, 'metainfo', None),
            },
            state_dict=weights_to_cpu(get_state_dict(self.model)),
            message_hub=self.message_hub.state_dict(),
        )
        if save_optimizer:
            wrapper = cast(OptimWrapper | OptimWrapperDict, self.optim_wrapper)
            checkpoint['optimizer'] = wrapper.state_dict()
        if save_param_scheduler and self.param_schedulers is not None:
            checkpoint['param_schedulers'] = _scheduler_states(self.param_schedulers)
        self.call_hook('before_save_checkpoint', checkpoint=checkpoint)
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        return buffer.getvalue()


def _count_processes(record: logging.LogRecord) -> bool:
    """Let MMEngine call processes what it calls GPUs where there are none."""
    record.msg = str(record.msg).replace('GPU number: ', 'Number of processes: ')
    return True


def _first_rates(groups: list[dict]) -> list[float]:
    return [group.get('initial_lr', group['lr']) for group in groups]


def _scheduler_states(schedulers):
    if isinstance(schedulers, dict):
        return {name: _scheduler_states(group) for name, group in schedulers.items()}
    return [scheduler.state_dict() for scheduler in schedulers or ()]


def wrapper_configs(config: dict) -> dict[str, dict]:
    """Return the configs of the optimizer wrappers by their place: one, or one for each part of the
    model.
    """
    if 'optimizer' in config:
        return {'optim_wrapper': config}
    parts = {f'optim_wrapper.{name}': part for name, part in config.items()}
    return {place: part for place, part in parts.items() if isinstance(part, dict)}


def share_seed(cfg):
    """Return a copy of ``cfg`` whose samplers and Lada datasets name ``randomness.seed``
    explicitly.
    """
    cfg = copy.deepcopy(cfg)
    randomness = cfg.get('randomness') or ConfigDict()
    seed = randomness.get('seed')
    seed = DEFAULT_SEED if seed is None else seed
    cfg['randomness'] = ConfigDict({**randomness, 'seed': seed})
    for name in _LOADERS:
        loader = cfg.get(name)
        if not isinstance(loader, dict):
            continue
        if isinstance(loader.get('sampler'), dict):
            loader['sampler'].setdefault('seed', seed)
        dataset = loader.get('dataset')
        if (
            isinstance(dataset, dict)
            and str(dataset.get('type')).split('.')[-1] == 'MosaicVideoDataset'
        ):
            dataset.setdefault('seed', seed)
    return cfg
