"""Weights & Biases."""

import os
from pathlib import Path

import numpy as np

from lada.engine.mmengine_private import OpenWandbVisBackend
from lada.engine.vis_backends.run_backend import LoggedBackend
from lada.registry import VISBACKENDS


@VISBACKENDS.register_module()
class WandbVisBackend(LoggedBackend, OpenWandbVisBackend):
    """Weights & Biases shows a training with its resumes as one run, over iterations.

    Of what a resumed run repeats, W&B keeps what it already has.

    Args:
        save_dir: folder of the local files (``wandb`` in it); the work directory unless given.
        init_kwargs: arguments of ``wandb.init``, over Lada's: ``project`` (``lada``, or
            ``WANDB_PROJECT``), ``name`` (the work directory's), ``id``, ``resume``.
        define_metric_cfg: arguments of ``wandb.define_metric``, see MMEngine's backend of this
            name.
    """

    service = 'Weights & Biases'
    offline = 'without a network set WANDB_MODE=offline, and use `wandb sync` later'

    def __init__(
        self,
        save_dir: str | None = None,
        init_kwargs: dict | None = None,
        define_metric_cfg: dict | list | None = None,
    ):
        self.require('wandb', 'wandb')
        super().__init__(save_dir or '', init_kwargs, define_metric_cfg)
        self.folder = save_dir

    def arguments(self, given: dict) -> dict:
        history = self.known_history(self.folder)
        return {
            'project': os.environ.get('WANDB_PROJECT', 'lada'),
            'name': history.name,
            'id': history.id,
            'resume': 'allow',
            'dir': self.folder or str(history.folder),
            # A config may change between two starts.
            'allow_val_change': True,
            **given,
        }

    def add_config(self, config, **kwargs) -> None:
        # MMEngine's also sends every Python file below the current folder.
        self.experiment.config.update(config.to_dict(), allow_val_change=True)

    def add_video(
        self, name: str, path: Path, frames: np.ndarray, fps: float, step: int, caption: str
    ) -> None:
        """Log a video file."""
        client = self.experiment
        client.log({name: client.Video(str(path), caption=caption, format='mp4')}, step=step)

    def close(self) -> None:
        if self.is_open:
            self.experiment.finish()
