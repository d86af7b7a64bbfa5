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
from lada.engine.hooks.pictures import PicturesHook
from lada.engine.hooks.stop import StopHook
from lada.engine.hooks.throughput import ThroughputHook
from lada.engine.hooks.watchdog import WatchdogHook
from lada.engine.loops import IterBasedTrainLoop, MultiTestLoop, MultiValLoop
from lada.engine.optim import AutocastOptimWrapper, MultiOptimWrapperConstructor, OptimWrapper
from lada.engine.runner import Runner

__all__ = [
    'AutocastOptimWrapper',
    'BadNumbersHook',
    'BadSamplesHook',
    'CheckpointHook',
    'ConsoleHook',
    'ExponentialMovingAverageHook',
    'IterBasedTrainLoop',
    'MMDistributedDataParallel',
    'MMSeparateDistributedDataParallel',
    'MultiOptimWrapperConstructor',
    'MultiTestLoop',
    'MultiValLoop',
    'OptimWrapper',
    'PicturesHook',
    'RewrappingDistributedDataParallel',
    'Runner',
    'StopHook',
    'ThroughputHook',
    'WatchdogHook',
]
