"""Moving bad clips of a dataset aside, and back."""

import json
import os
from collections import Counter
from contextlib import suppress
from pathlib import Path

from lada.data.packed import INDEX_NAME, PackedDataset, find_packed
from lada.dataset_tools.check.checking import Problem, look_at_files, media_files
from lada.dataset_tools.inventory import DatasetReader, metadata_folders
from lada.dataset_tools.locking import only_run
from lada.dataset_tools.packed_tables import add_clips, drop_clips
from lada.errors import LadaError
from lada.files import write_atomically
from lada.folders import SPLIT_FOLDER
from lada.text import printable

QUARANTINE_FOLDER = 'quarantine'
QUARANTINE_LOG = 'moved.jsonl'


def quarantine(root: Path, problems: list[Problem]) -> int:
    """Move the files of bad clips below ``root/quarantine``, at the same relative paths; returns
    how many were moved.

    Of a packed dataset, the clips' rows go to a table there. Files that a sound clip uses stay.
    Nothing is overwritten: a name that is taken gets a number. What goes where is logged before it
    goes, for :func:`restore`; after a kill, checking again moves the rest.

    Args:
        root: of the dataset.
        problems: as :func:`~lada.dataset_tools.check.checking.check_dataset` returns them.
    """
    with only_run(root):
        refuse_unfinished_split(root)
        return move_aside(root, problems)


def move_aside(root: Path, problems: list[Problem]) -> int:
    """Do what :func:`quarantine` does, for a caller who holds the dataset.

    Args:
        root, problems: see :func:`quarantine`.
    """
    if find_packed(root) is not None:
        return _set_aside(root, {problem.clip for problem in problems})
    bad = {problem.clip for problem in problems if problem.orphan is None}
    orphans = {problem.orphan for problem in problems}
    _, sound, _ = look_at_files(root)
    reader = DatasetReader(root)
    needed, listed = set(), []
    for stem, metadata in sound:
        files = [file.path for file in reader.read(os.path.dirname(metadata), stem).files]
        if stem in bad:
            listed += files
        else:
            needed.update(files)
    listed += [f'{folder}/{stem}.json' for folder in metadata_folders(root) for stem in sorted(bad)]
    listed += [path for path in media_files(root) if path in orphans or Path(path).stem in bad]
    # What a run that was killed had still to move.
    listed += [path for path, target in _read_log(root) if not os.path.lexists(root / target)]
    moves = []
    for path in dict.fromkeys(listed):
        if path not in needed and os.path.lexists(root / path):
            target = _free_name(root / QUARANTINE_FOLDER / path)
            moves.append((path, str(target.relative_to(root))))
    _log_moves(root, moves)
    for path, target in moves:
        (root / target).parent.mkdir(parents=True, exist_ok=True)
        (root / path).rename(root / target)
    return len(moves)


def quarantined(root: Path) -> set[str]:
    """Return the stems of the clips in quarantine.

    Args:
        root: of the dataset they come from.
    """
    if find_packed(root) is not None:
        folder = root / QUARANTINE_FOLDER
        there = (folder / INDEX_NAME).exists()
        return set(PackedDataset.open(folder, check_tars=False).stems()) if there else set()
    return {
        os.path.basename(path).removesuffix('.json')
        for path, target in _read_log(root)
        if path.endswith('.json') and os.path.lexists(root / target)
    }


def has_quarantine(root: Path) -> bool:
    """Tell whether there is something that :func:`restore` can move back."""
    folder = root / QUARANTINE_FOLDER
    return (folder / INDEX_NAME).exists() or (folder / QUARANTINE_LOG).is_file()


def restore(root: Path) -> int:
    """Move everything in quarantine back to where it was; returns how many files were moved, or of
    a packed dataset how many clips.

    Raises LadaError, with nothing moved, if another file has taken a place.
    """
    if (root / QUARANTINE_FOLDER / INDEX_NAME).exists():
        with only_run(root):
            refuse_unfinished_split(root)
            return _take_back(root)
    log = root / QUARANTINE_FOLDER / QUARANTINE_LOG
    if not has_quarantine(root):
        raise LadaError(
            f'nothing to restore: {printable(root)} has no {QUARANTINE_FOLDER}/{QUARANTINE_LOG}'
        )
    with only_run(root):
        refuse_unfinished_split(root)
        moves = [
            (path, target) for path, target in _read_log(root) if os.path.lexists(root / target)
        ]
        taken = Counter(path for path, _ in moves)
        for path in taken:
            if os.path.lexists(root / path):
                raise LadaError(
                    f'cannot restore: {printable(root / path)} is there again; move it away first'
                )
            if taken[path] > 1:
                raise LadaError(
                    f'cannot restore: {printable(path)} is in quarantine {taken[path]} times;'
                    f' remove all but one below {printable(root / QUARANTINE_FOLDER)}'
                )
        for path, target in moves:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / target).rename(root / path)
        log.unlink()
        for folder, _, _ in os.walk(root / QUARANTINE_FOLDER, topdown=False):
            with suppress(OSError):  # not empty
                os.rmdir(folder)
    return len(moves)


def _set_aside(root: Path, stems: set[str]) -> int:
    count = add_clips(root, root / QUARANTINE_FOLDER, stems)
    drop_clips(root, stems)
    return count


def _take_back(root: Path) -> int:
    folder = root / QUARANTINE_FOLDER
    stems = PackedDataset.open(folder, check_tars=False).stems()
    add_clips(folder, root, stems)
    (folder / INDEX_NAME).unlink()
    with suppress(OSError):  # not empty
        folder.rmdir()
    return len(stems)


def refuse_unfinished_split(root: Path) -> None:
    if (root / SPLIT_FOLDER).exists():
        raise LadaError(
            f'a split of {printable(root)} is unfinished, its files are on the move: run that split'
            ' again, or take it back with --undo, then fix'
        )


def _log_moves(root: Path, moves: list[tuple[str, str]]) -> None:
    if moves:
        lines = [json.dumps(move) + '\n' for move in dict.fromkeys([*_read_log(root), *moves])]
        write_atomically(root / QUARANTINE_FOLDER / QUARANTINE_LOG, ''.join(lines).encode('ascii'))


def _read_log(root: Path) -> list[tuple[str, str]]:
    """Return what went where, each move once: (from, to), relative to the root. Raises
    LadaError.
    """
    log = root / QUARANTINE_FOLDER / QUARANTINE_LOG
    if not log.is_file():
        return []
    try:
        moves = [
            (str(path), str(target))
            for path, target in map(json.loads, log.read_text().splitlines())
        ]
    except (ValueError, TypeError):
        raise LadaError(f'a damaged log: {printable(log)}; move the files back by hand') from None
    return list(dict.fromkeys(moves))


def _free_name(path: Path) -> Path:
    number, free = 1, path
    while os.path.lexists(free):
        free = path.with_name(f'{path.stem}.{number}{path.suffix}')
        number += 1
    return free
