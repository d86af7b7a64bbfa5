"""What Linux and macOS offer and Windows does not, and what is done without.

The tests run on Linux; without these they are run once with the names taken away
(``tests/test_platform_support.py``). Signals have a file of their own, :mod:`lada.signals`.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

try:
    import fcntl
except ImportError:
    fcntl = None
try:
    import resource
except ImportError:
    resource = None

_USUAL_BLOCK = 4096


@contextmanager
def folder_lock(folder: Path, shared: bool = False) -> Iterator[None]:
    """Lock a folder for this process, however it ends; not at all where the system or the file
    system cannot.

    Args:
        folder: an existing one.
        shared: let others in that share it, too.

    Raises :class:`BlockingIOError` when another process holds it.
    """
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:
            pass  # network file systems that cannot lock folders
        yield
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder outlive a power cut, where folders can be opened."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # as Windows answers
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def mount_of(folder: Path) -> str | None:
    """Return the number of the mount a folder is in, where Linux tells: one disk may be mounted at
    several places.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    try:
        with open(f'/proc/self/fdinfo/{descriptor}') as file:
            return next((line for line in file if line.startswith('mnt_id:')), None)
    except OSError:
        return None
    finally:
        os.close(descriptor)


class Disk(NamedTuple):
    """The file system that holds a folder; no ``inodes`` means no limit that the system tells."""

    block: int
    """Bytes that a file's size is rounded up to."""
    free: int
    """Bytes."""
    inodes_free: int
    inodes: int


def disk_of(folder: Path) -> Disk:
    """Look at the file system of an existing folder."""
    if not hasattr(os, 'statvfs'):
        return Disk(_USUAL_BLOCK, shutil.disk_usage(folder).free, 0, 0)
    status = os.statvfs(folder)
    return Disk(status.f_frsize, status.f_bavail * status.f_frsize, status.f_favail, status.f_files)


def peak_memory() -> int:
    """Return the bytes that this process has needed at most so far, 0 where nobody tells."""
    if resource is None:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == 'darwin' else peak * 1024
