"""Pictures of fixed validation clips at every validation."""

from mmengine.hooks import Hook

from lada.evaluation.pictures import make_strip, spread
from lada.registry import HOOKS


@HOOKS.register_module()
class PicturesHook(Hook):
    """Send strips (input | prediction | ground truth) of the first validation clips to the visualizer's backends.

    Args:
        num_clips: how many clips, the first of rank 0's share.
        num_frames: evenly spaced frames of each clip, one row each.
    """

    priority = 'NORMAL'

    def __init__(self, num_clips: int = 4, num_frames: int = 2):
        self.num_clips = num_clips
        self.num_frames = num_frames
        self._shown = 0

    def before_val_epoch(self, runner) -> None:
        self._shown = 0

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        for sample in outputs or ():
            if self._shown >= self.num_clips:
                return
            frames = spread(len(sample.pred_img), self.num_frames)
            strip = make_strip(sample.input, sample.pred_img, sample.gt_img, frames)
            runner.visualizer.add_image(f'validation_clip_{self._shown}', strip, step=runner.iter)
            self._shown += 1
