"""Training: entry, loops, checkpoints, hooks, distributed launch."""

from lada.engine.distributed.wrappers import (
    MMDistributedDataParallel,
    MMSeparateDistributedDataParallel,
    RewrappingDistributedDataParallel,
)
from lada.engine.hooks.bad_numbers import BadNumbersHook
from lada.engine.hooks.bad_samples import BadSamplesHook
from lada.engine.hooks.checkpoint import CheckpointHook
from lada.engine.hooks.console import ConsoleHook
from lada.engine.hooks.ema import ExponentialMovingAverageHook
from lada.engine.hooks.history import HistoryHook
from lada.engine.hooks.pictures import PicturesHook
from lada.engine.hooks.schedule_free import ScheduleFreeHook
from lada.engine.hooks.stop import StopHook
from lada.engine.hooks.throughput import ThroughputHook
from lada.engine.hooks.watchdog import WatchdogHook
from lada.engine.loops import IterBasedTrainLoop, MultiTestLoop, MultiValLoop
from lada.engine.optim import AutocastOptimWrapper, MultiOptimWrapperConstructor, OptimWrapper
from lada.engine.runner import Runner
from lada.engine.vis_backends.mlflow import MLflowVisBackend
from lada.engine.vis_backends.swanlab import SwanlabVisBackend
from lada.engine.vis_backends.tensorboard import TensorboardVisBackend
from lada.engine.vis_backends.wandb import WandbVisBackend
from lada.engine.visualizer import Visualizer

__all__ = [
    'AutocastOptimWrapper',
    'BadNumbersHook',
    'BadSamplesHook',
    'CheckpointHook',
    'ConsoleHook',
    'ExponentialMovingAverageHook',
    'HistoryHook',
    'IterBasedTrainLoop',
    'MLflowVisBackend',
    'MMDistributedDataParallel',
    'MMSeparateDistributedDataParallel',
    'MultiOptimWrapperConstructor',
    'MultiTestLoop',
    'MultiValLoop',
    'OptimWrapper',
    'PicturesHook',
    'RewrappingDistributedDataParallel',
    'Runner',
    'ScheduleFreeHook',
    'StopHook',
    'SwanlabVisBackend',
    'TensorboardVisBackend',
    'ThroughputHook',
    'Visualizer',
    'WandbVisBackend',
    'WatchdogHook',
]
