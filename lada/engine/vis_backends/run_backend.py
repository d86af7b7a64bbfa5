"""What the backends have in common."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lada.engine.history import History
from lada.errors import LadaError


class RunBackend:
    """A backend that records all starts of a run as one.

    Attributes:
        service: what people call it.
        offline: what a user can do without a network, for the line that says why it did not start.
        history: of the run; set before the first call.
    """

    service = ''
    offline = ''
    history: History | None = None

    def require(self, module: str, extra: str) -> None:
        """Raise :class:`LadaError` where the service's package is not installed.

        Args:
            module: that is imported.
            extra: Lada's optional dependencies that bring it.
        """
        if find_spec(module) is None:
            raise LadaError(
                f'visualizer.vis_backends: {type(self).__name__} needs the package {module}, which'
                f" is not installed; pip install 'lada[{extra}]'"
            )

    def known_history(self, save_dir: str | None) -> History:
        """Return the run's history; one that begins in ``save_dir`` where nobody set it."""
        return self.history or History(Path(save_dir or '.'))


class LoggedBackend(RunBackend):
    """A backend whose client takes values and pictures by ``log``, with a step."""

    experiment: Any

    def add_image(self, name, image, step=0, caption: str | None = None, **kwargs) -> None:
        client = self.experiment
        client.log({name: client.Image(image, caption=caption)}, step=step)

    def add_scalar(self, name, value, step=0, **kwargs) -> None:
        self.experiment.log({name: value}, step=step)

    def add_scalars(self, scalar_dict, step=0, file_path=None, **kwargs) -> None:
        self.experiment.log(scalar_dict, step=step)
