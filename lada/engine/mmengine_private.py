"""MMEngine's private names under public ones.

Lada subclasses MMEngine where it offers no other way in, and some of that meets names with a
leading underscore, which any release may change. Only this file uses them;
tests/engine/test_mmengine_private.py says so in a sentence when one has moved.
"""

from abc import abstractmethod
from typing import Any, cast

from mmengine.hooks import CheckpointHook
from mmengine.optim import OptimWrapper
from mmengine.runner import BaseLoop, IterBasedTrainLoop, Runner
from mmengine.runner.loops import _InfiniteDataloaderIterator as InfiniteIterator
from mmengine.visualization import Visualizer
from mmengine.visualization.vis_backend import (
    BaseVisBackend,
    MLflowVisBackend,
    TensorboardVisBackend,
    WandbVisBackend,
)


def accumulated_iterations(wrapper: OptimWrapper) -> int:
    """Return how many iterations an update of the wrapper's parameters takes."""
    return wrapper._accumulative_counts


class OpenRunner(Runner):
    """A Runner whose loading and compiling can be replaced."""

    @property
    def resumes(self) -> bool:
        """Whether a checkpoint is, or was, loaded to continue from."""
        return self._resume or self._has_loaded

    @property
    def weights_to_load(self) -> str | None:
        """The config's ``load_from``."""
        return self._load_from

    def note_loaded(self) -> None:
        """Keep MMEngine from loading (again)."""
        self._has_loaded = True

    @property
    def train_batch_size(self) -> int:
        """Samples an iteration takes on one rank."""
        loader: Any = self._train_dataloader
        return loader['batch_size'] if isinstance(loader, dict) else loader.batch_size

    def build_for_training(self) -> None:
        """Build, in MMEngine's order, what it builds before the first iteration."""
        self._train_loop = self.build_train_loop(cast(dict, self._train_loop))
        self.optim_wrapper = self.build_optim_wrapper(cast(dict, self.optim_wrapper))
        self.scale_lr(self.optim_wrapper, self.auto_scale_lr)
        if self.param_schedulers is not None:
            self.param_schedulers = self.build_param_scheduler(self.param_schedulers)
        if self._val_loop is not None:
            self._val_loop = self.build_val_loop(self._val_loop)

    @property
    def built_loops(self) -> list[BaseLoop]:
        """The loops that have been built so far; asking for one by its name would build it."""
        loops = self._train_loop, self._val_loop, self._test_loop
        return [loop for loop in loops if isinstance(loop, BaseLoop)]

    def compile_network(self) -> None:
        """Called before training, where MMEngine would compile the training step."""

    def _maybe_compile(self, target: str) -> None:
        if target == 'train_step':
            self.compile_network()


class OpenTrainLoop(IterBasedTrainLoop):
    """A training loop whose data can be placed and whose validation can be asked for."""

    def update_val_interval(self) -> None:
        """Follow the config's dynamic intervals to the current iteration."""
        self._decide_current_val_interval()

    def restart_data(self) -> None:
        """Begin a new pass over the loader, with what its sampler says now."""
        self.dataloader_iterator = InfiniteIterator(self.dataloader)


class OpenCheckpointHook(CheckpointHook):
    """A checkpoint hook whose writing can be replaced."""

    known_greater_keys = tuple(CheckpointHook._default_greater_keys)
    known_less_keys = tuple(CheckpointHook._default_less_keys)

    def save(self, runner) -> None:
        """Save the iteration that has just ended."""
        self._save_checkpoint(runner)

    def save_step(self, runner, step: int, meta: dict) -> None:
        """Save as ``step``; MMEngine's own at :meth:`save` and after a new best score."""
        super()._save_checkpoint_with_step(runner, step, meta)

    def save_best_one(self, runner, metrics: dict) -> None:
        """Save the best checkpoints that ``metrics`` ask for."""
        super()._save_best_checkpoint(runner, metrics)

    def _save_checkpoint_with_step(self, runner, step, meta):
        self.save_step(runner, step, meta)

    def _save_best_checkpoint(self, runner, metrics) -> None:
        self.save_best_one(runner, metrics)


class OpenVisualizer(Visualizer):
    """A visualizer whose backends can be asked for."""

    @property
    def backends(self) -> dict[str, BaseVisBackend]:
        """What it writes to, by name."""
        return self._vis_backends


class OpenTensorboardVisBackend(TensorboardVisBackend):
    """A TensorBoard backend whose writer can be replaced."""

    @abstractmethod
    def open(self) -> Any:
        """Return the writer; called once, when it is first needed."""

    def _init_env(self) -> None:
        self._tensorboard = self.open()


class OpenVisBackend(BaseVisBackend):
    """A backend that tells whether it has begun a run."""

    @property
    def is_open(self) -> bool:
        """Whether a run was begun."""
        return self._env_initialized


class OpenWandbVisBackend(OpenVisBackend, WandbVisBackend):
    """A backend of Weights & Biases that can choose how a run is begun."""

    def arguments(self, given: dict) -> dict:
        """Return the arguments of ``wandb.init``, from those that the config gives."""
        return given

    def _init_env(self) -> None:
        self._init_kwargs = self.arguments(dict(self._init_kwargs or {}))
        self._save_dir = self._init_kwargs['dir']
        super()._init_env()


class OpenMLflowVisBackend(OpenVisBackend, MLflowVisBackend):
    """An MLflow backend that can choose how a run is begun."""

    @abstractmethod
    def open(self) -> Any:
        """Begin a run, and return the client; called once, when it is first needed."""

    def _init_env(self) -> None:
        self._mlflow = self.open()
