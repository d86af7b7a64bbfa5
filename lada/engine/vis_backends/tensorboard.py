"""TensorBoard: one folder of event files, whichever start wrote them."""

import re
import time
from pathlib import Path
from typing import Any

import numpy as np
from tensorboard.compat.proto.summary_pb2 import (
    Summary,  # pyright: ignore[reportAttributeAccessIssue]
)

from lada.engine.mmengine_private import OpenTensorboardVisBackend
from lada.engine.vis_backends.run_backend import RunBackend
from lada.evaluation.pictures import shrink
from lada.registry import VISBACKENDS
from lada.video import encode_animation

FOLDER = 'tensorboard'
ANIMATION_FRAMES, ANIMATION_SIDE = 10, 336
"""Animations are not compressed much, so they are shorter and smaller than videos."""


@VISBACKENDS.register_module()
class TensorboardVisBackend(RunBackend, OpenTensorboardVisBackend):
    """TensorBoard shows a training with its resumes as one run: all starts write into
    ``tensorboard`` in the work directory, and a start that goes on from iteration N takes back what
    an earlier one had written beyond N.

    Args:
        save_dir: another folder.
    """

    service = 'TensorBoard'

    def __init__(self, save_dir: str | None = None):
        super().__init__(save_dir or '')
        self.folder = save_dir

    def open(self) -> Any:
        from torch.utils.tensorboard.writer import SummaryWriter

        history = self.known_history(self.folder)
        folder = Path(self.folder or history.folder / FOLDER)
        _wait_for_a_later_name(folder)
        return SummaryWriter(str(folder), purge_step=history.start + 1 if history.start else 0)

    def add_config(self, config, **kwargs) -> None:
        writer, start = self.experiment, self.known_history(self.folder).start
        writer.add_text('config', config.pretty_text, start)
        writer.flush()

    def add_image(self, name, image, step=0, **kwargs) -> None:
        if not self._is_there(name, step):
            super().add_image(name, image, step)

    def add_scalars(self, scalar_dict, step=0, file_path=None, **kwargs) -> None:
        new = {name: value for name, value in scalar_dict.items() if not self._is_there(name, step)}
        super().add_scalars(new, step)
        # What a killed process had not written would be missing between two starts.
        self.experiment.flush()

    def add_video(
        self, name: str, path: Path, frames: np.ndarray, fps: float, step: int, caption: str
    ) -> None:
        """Show a short animation: what ``SummaryWriter.add_video`` does, without its need of
        moviepy.
        """
        if self._is_there(name, step):
            return
        small = shrink(frames[:ANIMATION_FRAMES], ANIMATION_SIDE)
        image = Summary.Image(
            height=small.shape[1],
            width=small.shape[2],
            colorspace=3,
            encoded_image_string=encode_animation(small, fps),
        )
        self.experiment.file_writer.add_summary(
            Summary(value=[Summary.Value(tag=name, image=image)]), step
        )

    def _is_there(self, name: str, step: int) -> bool:
        """Tell whether a value belongs to a validation that is repeated."""
        history = self.known_history(self.folder)
        return history.validated and step == history.start and not name.startswith('training/')


def _wait_for_a_later_name(folder: Path) -> None:
    """Wait until the next event file sorts behind those in a folder, one second at most: readers
    take them by name, which begins with the second in which a file was made.
    """
    seconds = [re.search(r'tfevents\.(\d+)\.', path.name) for path in folder.glob('*tfevents.*')]
    latest = max((int(found[1]) for found in seconds if found), default=0)
    time.sleep(min(max(latest + 1 - time.time(), 0), 1))
