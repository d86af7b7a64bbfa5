"""Moving the clips of a list aside, all of them or none."""

from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from lada.data.packed import PackedDataset, find_packed
from lada.dataset_tools.check.checking import Problem
from lada.dataset_tools.check.marks import read_marks
from lada.dataset_tools.check.quarantine import move_aside, quarantined, refuse_unfinished_split
from lada.dataset_tools.inventory import DatasetReader, metadata_folders
from lada.dataset_tools.layout import dataset_sides
from lada.dataset_tools.locking import only_run
from lada.errors import LadaError
from lada.text import counted, printable, some


class Dropped(NamedTuple):
    """What :func:`drop_marked` did."""

    clips: int
    """How many were moved aside."""
    before: int
    """How many of the list were in quarantine before."""


def drop_marked(root: Path, marks: Path) -> Dropped:
    """Put the clips of a list into quarantine, from where
    :func:`~lada.dataset_tools.check.quarantine.restore` takes them back.

    A list that names a clip which is neither in the dataset nor in quarantine changes nothing. So
    the same call goes on after a kill. Raises LadaError.

    Args:
        root: as :func:`~lada.dataset_tools.layout.dataset_sides` takes it.
        marks: see :mod:`lada.dataset_tools.check.marks`.
    """
    names = read_marks(marks)
    sides = dataset_sides(root)
    stems = {side: _stems(folder) for side, folder in sides.items()}
    with ExitStack() as held:
        for folder in sides.values():
            held.enter_context(only_run(folder))
            refuse_unfinished_split(folder)
        known = {side: stems[side] | quarantined(folder) for side, folder in sides.items()}
        chosen: dict[str, list[str]] = {side: [] for side in sides}
        unknown = []
        for name in names:
            side, _, stem = ('', '', name) if '' in sides else name.partition('/')
            if side in sides and stem in known[side]:
                chosen[side].append(stem)
            else:
                unknown.append(name)
        if unknown:
            raise LadaError(
                f'{counted(len(unknown), "clip")} of {printable(marks)} not in'
                f' {printable(root)}: {some(unknown)}; nothing was moved, correct the list'
            )
        moved = before = 0
        for side, folder in sides.items():
            there = stems[side].intersection(chosen[side])
            moved, before = moved + len(there), before + len(chosen[side]) - len(there)
            if chosen[side]:
                problems = [Problem(stem, 'dropped', f'in {marks}') for stem in chosen[side]]
                move_aside(folder, problems)
    return Dropped(moved, before)


def _stems(folder: Path) -> set[str]:
    if find_packed(folder) is not None:
        return set(PackedDataset.open(folder, check_tars=False).stems())
    reader = DatasetReader(folder)
    return {stem for name in metadata_folders(folder) for stem in reader.stems(name)}
