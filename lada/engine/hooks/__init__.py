"""Hooks, a file each. Every module of this package is imported with it: a file that holds a
registered hook is all that a further one needs.
"""

from lada.engine.hooks.bad_numbers import BadNumbersHook
from lada.engine.hooks.bad_samples import BadSamplesHook
from lada.engine.hooks.checkpoint import CheckpointHook
from lada.engine.hooks.ema import ExponentialMovingAverageHook
from lada.engine.hooks.history import HistoryHook
from lada.engine.hooks.pictures import PicturesHook
from lada.engine.hooks.schedule_free import ScheduleFreeHook
from lada.engine.hooks.stop import StopHook
from lada.engine.hooks.throughput import ThroughputHook
from lada.engine.hooks.watchdog import WatchdogHook
from lada.registry import import_modules

__all__ = [
    'BadNumbersHook',
    'BadSamplesHook',
    'CheckpointHook',
    'ExponentialMovingAverageHook',
    'HistoryHook',
    'PicturesHook',
    'ScheduleFreeHook',
    'StopHook',
    'ThroughputHook',
    'WatchdogHook',
]

import_modules(__name__)
