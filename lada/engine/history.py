"""One history for all starts of a run: who it is, and where this start goes on."""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mmengine.dist import is_main_process

from lada.errors import LadaError
from lada.evaluation.training_log import read_log
from lada.files import write_atomically

RUN_ID = 'run_id'
"""File in a work directory: the name under which services know the run. It is drawn, not made from
the folder's path: two machines may well call their folders alike."""


@dataclass
class History:
    """What has been recorded of a run before this start.

    Attributes:
        folder: the work directory.
        start: iterations that the run has behind it, 0 for a new one.
        validated: whether an earlier start recorded the validation of iteration ``start``, which
            this one may repeat.
    """

    folder: Path
    start: int = 0
    validated: bool = False
    _id: str = field(default='', repr=False)

    @classmethod
    def of(cls, folder: Path, start: int) -> 'History':
        """Return the history that goes on in ``folder`` after iteration ``start``."""
        try:
            curves = read_log(folder).validation.values() if start else []
        except LadaError:  # no log, or none that can be read: nothing is known
            curves = []
        return cls(folder, start, validated=any(start in curve.steps for curve in curves))

    @property
    def name(self) -> str:
        """What people call the run."""
        return self.folder.resolve().name

    @property
    def id(self) -> str:
        """The run's id in services that record it: kept in the work directory, and a new one for a
        run that begins.
        """
        if not self._id:
            file = self.folder / RUN_ID
            kept = file.read_text(encoding='utf-8').strip() if self.start and file.exists() else ''
            self._id = kept or uuid.uuid4().hex[:16]
            if not kept:
                write_atomically(file, f'{self._id}\n'.encode())
        return self._id


@contextmanager
def start_in(work_dir: Path) -> Iterator[None]:
    """Remove the dated folder of a start that fails before anything was recorded in it."""
    before = set(work_dir.glob('*/*.log'))
    try:
        yield
    except BaseException:
        for log in set(work_dir.glob('*/*.log')) - before:
            # The Visualizer makes the one when recording begins, the Runner calls both alike.
            own = is_main_process() and log.stem == log.parent.name
            if own and not (log.parent / 'vis_data').exists():
                shutil.rmtree(log.parent, ignore_errors=True)
        raise


def forget(folder: Path) -> None:
    """Let what is recorded from now on count as another run: services cannot take back what they
    have.
    """
    (folder / RUN_ID).unlink(missing_ok=True)
