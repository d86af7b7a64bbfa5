"""What a training shows besides its log: scalars, pictures and videos, in one or several places."""

import difflib
import inspect
import logging
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.dist import master_only
from mmengine.logging import print_log
from mmengine.visualization.vis_backend import BaseVisBackend, LocalVisBackend

from lada.engine.history import History
from lada.engine.mmengine_private import OpenVisualizer
from lada.engine.vis_backends.run_backend import RunBackend
from lada.errors import LadaError
from lada.registry import VISBACKENDS, VISUALIZERS
from lada.text import one_line

# As they are; `mosaic/gain` is then the first group and its first card in TensorBoard, which sorts.
_OWN_GROUP = re.compile(r'(.*/)?gain|throughput/')
# The step says it.
_LEFT_OUT = {'iter', 'epoch'}


@VISUALIZERS.register_module()
class Visualizer(OpenVisualizer):
    """MMEngine's Visualizer, whose backends open after the first iteration, or with the first value
    before: a start that fails earlier leaves nothing in them.

    ``LocalVisBackend``, whose ``scalars.json`` Lada's commands read, is always there. The others
    get values in groups (``mosaic/gain…``, ``training/…``, ``validation/…``, ``throughput/…``), and
    the pictures and videos of :class:`~lada.engine.hooks.PicturesHook`.

    Args:
        name: of the instance.
        vis_backends: configs of backends, or their types alone.
        save_dir: a start's own folder, which the Runner sets.
    """

    def __init__(
        self,
        name: str = 'visualizer',
        vis_backends: Any = None,
        save_dir: str | None = None,
        **others: Any,
    ):
        given = [vis_backends] if isinstance(vis_backends, (str, dict)) else vis_backends or []
        entries = [_entry(each) for each in given]
        if not any(_is_local(entry) for entry in entries):
            entries.insert(0, dict(type='LocalVisBackend'))
        super().__init__(name, vis_backends=entries, save_dir=save_dir, **others)
        self._config: Config | None = None
        self._is_open = False
        if save_dir is not None:
            # Of what is recorded outside of a training, as by Runner.val().
            self.continue_from(History(Path(save_dir)))

    def continue_from(self, history: History) -> None:
        """Say what has been recorded before. Called before anything is."""
        for backend in self.backends.values():
            if isinstance(backend, RunBackend):
                backend.history = history

    @master_only
    def open(self) -> None:
        """Begin to record; what cannot begin ends the training with a line that says so."""
        if self._is_open:
            return
        self._is_open = True
        # Files last, so that a service that does not start leaves none.
        services_first = sorted(self.backends.items(), key=lambda item: not _is_service(item[1]))
        for name, backend in services_first:
            try:
                _ = backend.experiment
                if self._config is not None:
                    backend.add_config(self._config)
            # Services have errors of their own.
            except Exception as error:
                hint = getattr(backend, 'offline', '')
                raise LadaError(
                    f'visualizer: {getattr(backend, "service", name)} does not start'
                    f' ({one_line(error)}){hint and "; "}{hint}'
                ) from error

    @master_only
    def add_config(self, config: Config, **kwargs) -> None:
        """Keep the config for when recording begins."""
        self._config = config

    @master_only
    def add_scalar(self, name, value, step=0, **kwargs) -> None:
        for backend in self._ready():
            self._tell(backend, 'add_scalar', name, value, step, **kwargs)

    @master_only
    def add_scalars(self, scalar_dict, step=0, file_path=None, **kwargs) -> None:
        grouped = _grouped(scalar_dict)
        for backend in self._ready():
            values = scalar_dict if isinstance(backend, LocalVisBackend) else grouped
            self._tell(backend, 'add_scalars', values, step, file_path, **kwargs)

    @master_only
    def add_image(self, name, image, step=0) -> None:
        for backend in self._ready():
            self._tell(backend, 'add_image', name, image, step)

    @master_only
    def add_picture(self, name: str, image: np.ndarray, step: int, caption: str) -> None:
        """Show a picture everywhere but among the local files.

        Args:
            name: what tells it from others of the same step.
            image: (H, W, 3) uint8 RGB.
            step: iterations that were done.
            caption: for services that show one.
        """
        for backend in self._ready():
            if not isinstance(backend, LocalVisBackend):
                self._tell(backend, 'add_image', f'pictures/{name}', image, step, caption=caption)

    @master_only
    def add_video(
        self, name: str, path: Path, frames: np.ndarray, fps: float, step: int, caption: str
    ) -> None:
        """Show a video where videos can be shown.

        Args:
            name: as of a picture.
            path: of its file.
            frames: the same, (T, H, W, 3) uint8 RGB.
            fps: frames a second.
            step: iterations that were done.
            caption: for services that show one.
        """
        for backend in self._ready():
            if hasattr(backend, 'add_video'):
                self._tell(backend, 'add_video', f'videos/{name}', path, frames, fps, step, caption)

    def close(self) -> None:
        for backend in self.backends.values():
            self._tell(backend, 'close')

    def _ready(self) -> Iterable[BaseVisBackend]:
        self.open()
        return self.backends.values()

    def _tell(self, backend: BaseVisBackend, what: str, *args, **kwargs) -> None:
        """Call a backend; a service that fails meanwhile does not end the training."""
        try:
            getattr(backend, what)(*args, **kwargs)
        # Services have errors of their own.
        except Exception as error:
            if not _is_service(backend):
                raise
            text = f'{type(backend).__name__}.{what} failed: {one_line(error)}'
            print_log(f'{text}; training goes on', 'current', logging.WARNING)


def _is_service(backend: BaseVisBackend) -> bool:
    return bool(getattr(backend, 'offline', ''))


def _entry(given: Any) -> Any:
    """Return a backend's config with its class, and without a folder where it finds its own."""
    if not isinstance(given, (str, dict)):
        return given
    entry: dict[str, Any] = {'type': given} if isinstance(given, str) else dict(given)
    kind = entry.get('type')
    if isinstance(kind, str):
        entry['type'] = VISBACKENDS.get(kind)
        if entry['type'] is None:
            raise LadaError(f'visualizer.vis_backends: no backend is called {kind!r}{_known(kind)}')
    if inspect.isclass(entry['type']) and issubclass(entry['type'], RunBackend):
        entry.setdefault('save_dir', None)
    return entry


def _known(kind: str) -> str:
    names = sorted({*VISBACKENDS.module_dict, 'LocalVisBackend'})
    close = difflib.get_close_matches(kind, names, n=1)
    return f'; did you mean {close[0]!r}?' if close else f'; Lada has {", ".join(names)}'


def _is_local(entry: Any) -> bool:
    if isinstance(entry, dict):
        return inspect.isclass(entry['type']) and issubclass(entry['type'], LocalVisBackend)
    return isinstance(entry, LocalVisBackend)


def _grouped(scalars: dict) -> dict:
    """Return values under names that put the gain first, and training apart from validation."""
    # The reader of logs tells the two apart the same way.
    group = 'training' if 'iter' in scalars else 'validation'
    return {
        name if _OWN_GROUP.match(name) else f'{group}/{name}': value
        for name, value in scalars.items()
        if name not in _LEFT_OUT
    }
