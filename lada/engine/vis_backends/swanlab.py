"""SwanLab."""

import os
from importlib import import_module
from typing import Any

from mmengine.visualization.vis_backend import BaseVisBackend

from lada.engine.vis_backends.run_backend import LoggedBackend
from lada.registry import VISBACKENDS

# SwanLab's variables, today's and that of old.
_PROJECT = ('SWANLAB_PROJECT_NAME', 'SWANLAB_PROJ_NAME')


@VISBACKENDS.register_module()
class SwanlabVisBackend(LoggedBackend, BaseVisBackend):
    """SwanLab shows a training with its resumes as one run, through SwanLab's own backend.

    Of what a resumed run repeats, SwanLab keeps what it already has.

    Args:
        save_dir: folder of the local files; ``swanlog`` in the work directory unless given.
        init_kwargs: arguments of ``swanlab.init``, over Lada's: ``project`` (``lada``, or
            ``SWANLAB_PROJECT_NAME``), ``name`` (the work directory's), ``id``, ``resume``.
    """

    service = 'SwanLab'
    offline = (
        'without a network set SWANLAB_MODE=offline, and send the run later with `swanlab sync`'
    )

    def __init__(self, save_dir: str | None = None, init_kwargs: dict | None = None):
        self.require('swanlab', 'swanlab')
        self.folder, self.init_kwargs = save_dir, init_kwargs or {}
        self._theirs: Any = None

    def _init_env(self) -> None:
        """Of no use here: :attr:`experiment` begins a run."""

    def _begin(self) -> Any:
        theirs: Any = import_module('swanlab.integration.mmengine')
        history = self.known_history(self.folder)
        arguments = {
            'project': next(filter(None, map(os.environ.get, _PROJECT)), 'lada'),
            'name': history.name,
            'id': history.id,
            'resume': 'allow',
            **self.init_kwargs,
        }
        folder = self.folder or str(history.folder / 'swanlog')
        return theirs.SwanlabVisBackend(folder, arguments)

    @property
    def experiment(self) -> Any:
        if self._theirs is None:
            self._theirs = self._begin()
        return self._theirs.experiment

    def add_config(self, config, **kwargs) -> None:
        _ = self.experiment
        self._theirs.add_config(config)

    def close(self) -> None:
        if self._theirs is not None:
            self.experiment.finish()
