"""Datasets whose two sides lie in one folder."""

from pathlib import Path

from lada.data.packed import find_packed

SIDES = 'train', 'val'


def dataset_sides(root: Path) -> dict[str, Path]:
    """Return the datasets that a folder stands for: ``{'': root}``, or those in its folders
    :data:`SIDES` by their names where it is none itself.
    """
    if not _is_dataset(root):
        sides = {name: root / name for name in SIDES if _is_dataset(root / name)}
        if sides:
            return sides
    return {'': root}


def side_name(side: str, stem: str) -> str:
    """Return the name of a clip among those of all sides.

    Args:
        side: a key of :func:`dataset_sides`.
        stem: of the clip.
    """
    return f'{side}/{stem}' if side else stem


def _is_dataset(folder: Path) -> bool:
    return find_packed(folder) is not None or any(path.is_dir() for path in folder.glob('*_meta'))
