"""Pictures, short videos and scores of validation clips, at every validation."""

import shutil
from pathlib import Path

import numpy as np
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from tensorboard.compat.proto.summary_pb2 import (
    Summary,  # pyright: ignore[reportAttributeAccessIssue]
)

from lada.errors import LadaError
from lada.evaluation.frames import to_frames
from lada.evaluation.metrics import MosaicGain
from lada.evaluation.pictures import make_strip, save_picture, shrink, side_by_side
from lada.evaluation.spacing import evenly_spaced
from lada.evaluation.tables import to_csv
from lada.files import write_atomically
from lada.registry import HOOKS
from lada.video import encode_animation, write_video

TENSORBOARD_FRAMES, TENSORBOARD_SIDE = 10, 112
"""TensorBoard's animations are not compressed much, so they are shorter and smaller."""


@HOOKS.register_module()
class PicturesHook(Hook):
    """Show fixed validation clips (mosaic | restored | ground truth) in TensorBoard and in files.

    In the run's dated folder, ``validation/iter_N`` gets ``clip_K.png``, ``clip_K.mp4`` and, where
    the evaluator has a :class:`~lada.evaluation.MosaicGain`, ``clips.csv`` and ``evaluation.json``
    with every clip's scores, which ``compare-evaluations.py`` reads. TensorBoard gets the strips
    and animations. A picture that cannot be written does not end the training.

    Args:
        num_clips: how many clips, the first of rank 0's share.
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
        self._shown = 0

    def before_val_epoch(self, runner) -> None:
        self._shown = 0

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        if not is_main_process():
            return
        for sample in outputs or ():
            if self._shown >= self.num_clips:
                return
            self._try(runner, self._show, sample)
            self._shown += 1

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

    def _show(self, runner, sample) -> None:
        clips = [to_frames(clip) for clip in (sample.input, sample.pred_img, sample.gt_img)]
        small = [shrink(clip, self.max_side) for clip in clips]
        shown = evenly_spaced(len(small[1]), self.num_frames)
        strip = make_strip(*small, frame_indices=shown)
        name = f'clip_{self._shown}'
        save_picture(self._folder(runner) / f'{name}.png', strip)
        video = side_by_side(*[clip[: self.video_frames] for clip in small])
        fps = sample.get('fps') or 25
        write_video(
            self._folder(runner) / f'{name}.mp4',
            video,
            fps,
            options={'crf': '18', 'preset': 'veryfast'},
        )
        backend = runner.visualizer.get_backend('TensorboardVisBackend')
        if backend is not None:
            backend.add_image(f'validation_{name}', strip, runner.iter)
            tiny = [shrink(clip[:TENSORBOARD_FRAMES], TENSORBOARD_SIDE) for clip in clips]
            _add_animation(
                backend.experiment,
                f'validation_{name}_video',
                side_by_side(*tiny),
                fps,
                runner.iter,
            )

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


def _add_animation(writer, tag: str, frames: np.ndarray, fps: float, step: int) -> None:
    """What ``SummaryWriter.add_video`` does, without its need of moviepy."""
    image = Summary.Image(
        height=frames.shape[1],
        width=frames.shape[2],
        colorspace=3,
        encoded_image_string=encode_animation(frames, fps),
    )
    writer.file_writer.add_summary(Summary(value=[Summary.Value(tag=tag, image=image)]), step)


def _step(folder: Path) -> int:
    number = folder.name.removeprefix('iter_')
    return int(number) if number.isdecimal() else -1
