"""Finding the checkpoints of a run."""

import re
from collections.abc import Iterable
from pathlib import Path

from lada.checkpoints.reading import damage_of
from lada.errors import LadaError
from lada.folders import shipped_folder

_ITERATION = re.compile(r'iter_(\d+)\.pth$')
LAST_CHECKPOINT = 'last_checkpoint'
GAIN = 'mosaic/gain'
"""The score by which the shipped recipes choose their best checkpoint."""


def iteration_of(path: Path) -> int:
    """Return the iteration in ``iter_<n>.pth``, -1 for any other name."""
    match = _ITERATION.search(path.name)
    return int(match.group(1)) if match else -1


def find_checkpoint(*folders: Path) -> tuple[Path | None, dict[Path, str]]:
    """Return the newest sound ``iter_<n>.pth`` of the folders, and the damaged ones that are newer
    with their damage.

    A ``last_checkpoint`` file in a folder may point to a further folder; it is a hint only, since a
    run can be killed between writing a checkpoint and writing the hint.
    """
    return _newest_sound(folders, 'iter_*.pth')


def checkpoint_of_run(work_dir: Path) -> Path:
    """Return the sound checkpoint with which a run did best in validation, by the gain where that
    was looked at, or else its newest. Raises :class:`LadaError` where there is neither.
    """
    for pattern in (f'best_{GAIN.replace("/", "_")}_iter_*.pth', 'best_*_iter_*.pth', 'iter_*.pth'):
        # A run that is killed may leave two best ones: the later is the better.
        path, _ = _newest_sound([work_dir], pattern)
        if path is not None:
            return path
    raise LadaError(f'no checkpoint in {work_dir}; name the work directory of a run, or a file')


def checkpoint_at(name: str | Path) -> str:
    """Return a file or an address as it is, and of a run's work directory what
    :func:`checkpoint_of_run` does.
    """
    return str(checkpoint_of_run(Path(name)) if Path(name).is_dir() else name)


def _newest_sound(folders: Iterable[Path], pattern: str) -> tuple[Path | None, dict[Path, str]]:
    places = dict.fromkeys(Path(folder) for folder in folders)
    for folder in list(places):
        hint = folder / LAST_CHECKPOINT
        if hint.is_file():
            places[Path(hint.read_text(errors='replace').strip()).parent] = None
    candidates = {
        path.resolve(): path for place in places if place.is_dir() for path in place.glob(pattern)
    }
    damaged = {}
    for path in sorted(candidates.values(), key=iteration_of, reverse=True):
        if iteration_of(path) < 0:
            continue
        damage = damage_of(path)
        if damage is None:
            return path, damaged
        damaged[path] = damage
    return None, damaged


def starter_weights() -> Path:
    """Return the file of the network that ships with Lada. Raises :class:`LadaError` without it."""
    path = shipped_folder('assets/weights') / 'starter.safetensors'
    if not path.is_file():
        raise LadaError(f'no starter network at {path}; name weights with --checkpoint')
    return path
