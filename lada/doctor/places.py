"""Where a run writes: the current folder, shared memory, the cache of downloaded weights."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile

from lada.doctor.finding import OK, PROBLEM, WARNING, Finding
from lada.files import nearest_existing
from lada.platform_support import disk_of
from lada.text import human_bytes, reason

_ROOM, _LITTLE_ROOM = 5 * 10**9, 10**8
"""Bytes for clips and some checkpoints of the large network; for anything at all."""
_FILES = 10_000
"""Three for a clip."""


def places() -> Iterator[Finding]:
    """Look at the folders that this process would write to."""
    here = Path.cwd()
    yield disk(here, shutil.disk_usage(here).free)
    found = disk_of(here)
    yield inodes(here, found.inodes_free, found.inodes)

    import torch

    from lada.engine.shared_memory import ENOUGH, FOLDER

    if FOLDER.is_dir():
        usage = shutil.disk_usage(FOLDER)
        inside = Path('/.dockerenv').exists()
        yield shared_memory(FOLDER, usage.free, usage.total, ENOUGH, inside)
    yield cache(Path(torch.hub.get_dir()))


def disk(folder: Path, free: int) -> Finding:
    """Say whether files can be written, and how much."""
    refused = _refused(folder)
    if refused:
        return Finding('disk', PROBLEM, f'{folder}: {refused}; go where you may write', 'cd ~')
    text = f'{human_bytes(free)} free in {folder}'
    state = PROBLEM if free < _LITTLE_ROOM else WARNING if free < _ROOM else OK
    return Finding('disk', state, text, '' if state == OK else 'df -h')


def inodes(folder: Path, free: int, total: int) -> Finding:
    """Say how many files can be made; a file system without a limit has a ``total`` of 0."""
    if not total:
        return Finding('inodes', OK, f'no limit in {folder}')
    state = PROBLEM if not free else WARNING if free < _FILES else OK
    text = f'room for {free:,} files in {folder}, and a clip is three'
    return Finding('inodes', state, text, '' if state == OK else 'df -i')


def shared_memory(folder: Path, free: int, total: int, enough: int, container: bool) -> Finding:
    """Say whether loader workers can hand batches over.

    Args:
        folder: where shared memory is.
        free, total: bytes of it.
        enough: free bytes with which no run has to look closer.
        container: whether this is one, whose start decides.
    """
    text = f'{human_bytes(free)} of {human_bytes(total)} free'
    if free >= enough:
        return Finding(str(folder), OK, text)
    text += '; loader workers hand batches over in it (num_workers=0 does without)'
    if total >= enough:
        remedy = f'ls -lhS {folder}'
    elif container:
        remedy = 'docker run --shm-size=8g'
    else:
        remedy = f'sudo mount -o remount,size=8G {folder}'
    return Finding(str(folder), WARNING, text, remedy)


def cache(folder: Path) -> Finding:
    """Say whether downloaded weights can be kept."""
    refused = _refused(nearest_existing(folder))
    if refused:
        text = f'{folder}: {refused}; downloaded weights are kept there'
        return Finding('cache', WARNING, text, 'export TORCH_HOME=$PWD/torch')
    return Finding('cache', OK, f'{folder} can be written')


def _refused(folder: Path) -> str:
    """Return why no file can be made in a folder; empty where one can."""
    try:
        with TemporaryFile(dir=folder):
            return ''
    except OSError as error:
        return reason(error)
