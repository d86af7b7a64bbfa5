"""Pictures, short videos and scores of validation clips, at every validation."""

import math
import re
import shutil
from collections.abc import Sequence, Sized
from pathlib import Path

from mmengine.dist import get_rank, get_world_size, is_main_process
from mmengine.hooks import Hook

from lada.data import MosaicVideoDataset
from lada.engine.visualizer import Visualizer
from lada.errors import LadaError
from lada.evaluation.frames import to_frames
from lada.evaluation.metrics import MosaicGain
from lada.evaluation.metrics.mosaic_gain import MODEL
from lada.evaluation.pictures import make_strip, save_picture, shrink, side_by_side, with_title
from lada.evaluation.spacing import evenly_spaced, spread_over
from lada.evaluation.tables import to_csv
from lada.files import write_atomically
from lada.registry import HOOKS
from lada.video import write_video


@HOOKS.register_module()
class PicturesHook(Hook):
    """Show fixed validation clips (mosaic | restored | ground truth) in files and wherever the
    Visualizer shows pictures.

    In the run's dated folder, ``validation/iter_N`` gets ``clip_K.png``, ``clip_K.mp4`` and, where
    the evaluator has a :class:`~lada.evaluation.MosaicGain`, ``clips.csv`` and ``evaluation.json``
    with every clip's scores, which ``compare-evaluations.py`` reads. The Visualizer gets the
    pictures as ``pictures/CLIP`` and the videos as ``videos/CLIP``; pictures carry the clip's name
    and its gain. A picture that cannot be written does not end the training.

    Args:
        num_clips: how many clips, of rank 0's share, from as many sources as possible.
        num_frames: evenly spaced frames of each clip in a strip, one row each.
        video_frames: frames of a video at most, the clip's first.
        max_side: pixels to which a frame's longer side is reduced.
        keep: validations whose folders stay; older ones are removed.
    """

    priority = 'NORMAL'

    def __init__(
        self,
        num_clips: int = 4,
        num_frames: int = 2,
        video_frames: int = 30,
        max_side: int = 256,
        keep: int = 20,
    ):
        self.num_clips, self.num_frames, self.video_frames = num_clips, num_frames, video_frames
        self.max_side, self.keep = max_side, keep
        self._chosen: list[int] = []
        self._seen = 0

    def before_val_epoch(self, runner) -> None:
        self._seen = 0
        if not self._chosen:
            self._chosen = _choose(runner.val_loop.dataloader.dataset, self.num_clips)

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        if not is_main_process():
            return
        gains = _gains(runner, outputs or ())
        for sample, gain in zip(outputs or (), gains, strict=True):
            if self._seen in self._chosen:
                self._try(runner, self._show, sample, gain, self._chosen.index(self._seen))
            self._seen += 1

    def after_val_epoch(self, runner, metrics=None) -> None:
        if is_main_process():
            self._try(runner, self._write_scores)
            for old in sorted(self._folder(runner).parent.glob('iter_*'), key=_step)[: -self.keep]:
                shutil.rmtree(old, ignore_errors=True)

    def _try(self, runner, action, *args) -> None:
        try:
            action(runner, *args)
        except (LadaError, OSError) as error:
            runner.logger.warning(f'No picture or score file of this validation: {error}')

    def _show(self, runner, sample, gain: float | None, number: int) -> None:
        clips = [to_frames(clip) for clip in (sample.input, sample.pred_img, sample.gt_img)]
        small = [shrink(clip, self.max_side) for clip in clips]
        shown = evenly_spaced(len(small[1]), self.num_frames)
        name, step = _name(sample, number), runner.iter
        caption = f'{name}, iteration {step}' if gain is None else f'{name}: {gain:+.2f} dB'
        strip = with_title(make_strip(*small, frame_indices=shown), caption)
        file = self._folder(runner) / f'clip_{number}'
        save_picture(file.with_suffix('.png'), strip)
        video = side_by_side(*[clip[: self.video_frames] for clip in small])
        fps = sample.get('fps') or 25
        path = file.with_suffix('.mp4')
        write_video(path, video, fps, options={'crf': '18', 'preset': 'veryfast'})
        if isinstance(runner.visualizer, Visualizer):
            runner.visualizer.add_picture(name, strip, step, caption)
            runner.visualizer.add_video(name, path, video, fps, step, caption)

    def _write_scores(self, runner) -> None:
        for metric in runner.val_loop.evaluator.metrics:
            if isinstance(metric, MosaicGain) and metric.evaluation is not None:
                evaluation = metric.evaluation
                evaluation.config, evaluation.data = (
                    str(runner.cfg.filename),
                    'validation while training',
                )
                evaluation.checkpoints = {'model': f'iteration {runner.iter}'}
                write_atomically(self._folder(runner) / 'clips.csv', to_csv(evaluation).encode())
                write_atomically(
                    self._folder(runner) / 'evaluation.json', evaluation.to_json().encode()
                )

    @staticmethod
    def _folder(runner) -> Path:
        return Path(runner.log_dir) / 'validation' / f'iter_{runner.iter}'


def _choose(dataset: Sized, count: int) -> list[int]:
    """Return which of this rank's samples are shown, in the order of an unshuffled validation."""
    positions = range(get_rank(), len(dataset), get_world_size())
    if isinstance(dataset, MosaicVideoDataset):
        return spread_over(dataset.clip_sources[positions].tolist(), count)
    return evenly_spaced(len(positions), count)


def _gains(runner, samples: Sequence) -> list[float | None]:
    """Return the gain of each sample of the batch that was measured last, where it has one."""
    for metric in runner.val_loop.evaluator.metrics:
        if isinstance(metric, MosaicGain) and len(metric.results) >= len(samples) > 0:
            measured = [clip.value(MODEL, 'gain') for _, clip in metric.results[-len(samples) :]]
            return [None if math.isnan(gain) else gain for gain in measured]
    return [None] * len(samples)


def _name(sample, number: int) -> str:
    """Return a clip's name in characters that every service takes."""
    return re.sub(r'[^\w.\- ]', '_', str(sample.get('key') or f'clip_{number}'))


def _step(folder: Path) -> int:
    number = folder.name.removeprefix('iter_')
    return int(number) if number.isdecimal() else -1
