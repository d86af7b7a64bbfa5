"""Taking clips from the table of one packed dataset into that of another; tar files stay as they
are.

Each step can be repeated: a clip is in the old table, in the new one, or in both, never in neither.
"""

import os
from collections.abc import Collection
from pathlib import Path

import numpy as np

from lada.data.packed import INDEX_NAME, PackedDataset, TarFile, read_header, row_type, write_index


def add_clips(source: Path, target: Path, stems: Collection[str]) -> int:
    """Write clips of one table into another as well, which is made where there is none.

    Clips that the source does not have, or the target has, are passed over. Returns how many the
    target has of them.

    Args:
        source: folder of a packed dataset.
        target: folder of the other one.
        stems: of the clips.
    """
    old = PackedDataset.open(source, check_tars=False)
    rows, tars = _chosen(old, stems, True), list(old.tars)
    if (target / INDEX_NAME).exists():
        there = PackedDataset.open(target, check_tars=False)
        rows, tars = _union((there.rows, there.tars), (rows, tars))
    target.mkdir(parents=True, exist_ok=True)
    write_index(target, rows, tars, old.metadata_folder, plan=_plan(target))
    return int(np.isin(rows['stem'], _encoded(stems)).sum())


def drop_clips(folder: Path, stems: Collection[str]) -> int:
    """Take clips out of a table; returns how many are left in it.

    Args:
        folder: of a packed dataset.
        stems: of the clips.
    """
    old = PackedDataset.open(folder, check_tars=False)
    rows = _chosen(old, stems, False)
    write_index(folder, rows, old.tars, old.metadata_folder, plan=_plan(folder))
    return len(rows)


def has_clips(folder: Path, stems: Collection[str]) -> set[str]:
    """Return those of the clips that a table has; none where there is no table."""
    if not (folder / INDEX_NAME).exists():
        return set()
    return set(PackedDataset.open(folder, check_tars=False).stems()) & set(stems)


def _plan(folder: Path) -> str | None:
    """Return what packing noted of how the table was made."""
    return read_header(folder).get('plan') if (folder / INDEX_NAME).exists() else None


def _encoded(stems: Collection[str]) -> np.ndarray:
    return np.array([os.fsencode(stem) for stem in stems] or [b''])


def _chosen(packed: PackedDataset, stems: Collection[str], keep: bool) -> np.ndarray:
    return np.array(packed.rows[np.isin(packed.rows['stem'], _encoded(stems)) == keep])


def _union(
    one: tuple[np.ndarray, list[TarFile]], other: tuple[np.ndarray, list[TarFile]]
) -> tuple[np.ndarray, list[TarFile]]:
    """Return the rows of both tables, those of the first where both have a clip."""
    tars = list(dict.fromkeys([*one[1], *other[1]]))
    numbers = {tar: number for number, tar in enumerate(tars)}
    width = max(rows.dtype['stem'].itemsize for rows, _ in (one, other))
    parts = []
    for rows, listed in (one, other):
        part = rows.astype(row_type(width))
        if listed:
            part['tar'] = np.array([numbers[tar] for tar in listed])[rows['tar']]
        parts.append(part)
    fresh = ~np.isin(parts[1]['stem'], parts[0]['stem'])
    return np.concatenate([parts[0], parts[1][fresh]]), tars
