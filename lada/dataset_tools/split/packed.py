"""Splits of packed datasets: each side is a table, the tar files stay where they are."""

from pathlib import Path

from lada.data.packed import INDEX_NAME
from lada.dataset_tools.packed_tables import add_clips, drop_clips, has_clips
from lada.errors import LadaError
from lada.text import counted, printable, some


def is_packed(root: Path) -> bool:
    """Tell whether a dataset is packed."""
    return (root / INDEX_NAME).is_file()


def check_target(val_root: Path, stems: list[str]) -> None:
    """Raise LadaError if the validation set holds one of the clips already."""
    there = sorted(has_clips(val_root, stems))
    if there:
        raise LadaError(
            f'the validation root holds clips already: {some(there)} in {printable(val_root)}; use'
            ' another --val-root'
        )


def check_back(train_root: Path, val_root: Path, stems: list[str]) -> None:
    """Raise LadaError if taking the clips back would lose one."""
    gone = sorted(set(stems) - has_clips(train_root, stems) - has_clips(val_root, stems))
    if gone:
        raise LadaError(
            f'cannot undo: {counted(len(gone), "clip")} in no table, neither of'
            f' {printable(train_root)} nor of {printable(val_root)}: {some(gone)}; put them back'
            ' first, from quarantine with check-dataset.py --fix restore'
        )


def take_back(train_root: Path, val_root: Path, stems: list[str]) -> None:
    """Bring clips back into the table of the training set."""
    if not is_packed(val_root):
        return
    add_clips(val_root, train_root, stems)
    if not drop_clips(val_root, stems):
        (val_root / INDEX_NAME).unlink()
