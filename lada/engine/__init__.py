"""Training: entry, loops, checkpoints, hooks, distributed launch."""

from lada.engine.bad_numbers_hook import BadNumbersHook
from lada.engine.bad_samples_hook import BadSamplesHook
from lada.engine.checkpoint_hook import CheckpointHook
from lada.engine.ema_hook import ExponentialMovingAverageHook
from lada.engine.loops import IterBasedTrainLoop, MultiTestLoop, MultiValLoop
from lada.engine.multi_optim_wrapper import MultiOptimWrapperConstructor
from lada.engine.optim_wrapper import AutocastOptimWrapper, OptimWrapper
from lada.engine.pictures_hook import PicturesHook
from lada.engine.runner import Runner
from lada.engine.stop_hook import StopHook
from lada.engine.throughput_hook import ThroughputHook
from lada.engine.watchdog_hook import WatchdogHook
from lada.engine.wrappers import (
    MMDistributedDataParallel,
    MMSeparateDistributedDataParallel,
    RewrappingDistributedDataParallel,
)

__all__ = ['AutocastOptimWrapper', 'BadNumbersHook', 'BadSamplesHook', 'CheckpointHook',
           'ExponentialMovingAverageHook', 'IterBasedTrainLoop', 'MMDistributedDataParallel',
           'MMSeparateDistributedDataParallel', 'MultiOptimWrapperConstructor', 'MultiTestLoop', 'MultiValLoop',
           'OptimWrapper', 'PicturesHook', 'RewrappingDistributedDataParallel', 'Runner', 'StopHook',
           'ThroughputHook', 'WatchdogHook']
