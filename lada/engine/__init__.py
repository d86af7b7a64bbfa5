"""Training: entry, loops, checkpoints, hooks, distributed launch."""

from lada.engine.amp import AutocastOptimWrapper
from lada.engine.checkpoint_hook import CheckpointHook
from lada.engine.loops import IterBasedTrainLoop, MultiTestLoop, MultiValLoop
from lada.engine.pictures_hook import PicturesHook
from lada.engine.runner import Runner
from lada.engine.wrappers import MMDistributedDataParallel

__all__ = ['AutocastOptimWrapper', 'CheckpointHook', 'IterBasedTrainLoop', 'MMDistributedDataParallel', 'MultiTestLoop',
           'MultiValLoop', 'PicturesHook', 'Runner']
