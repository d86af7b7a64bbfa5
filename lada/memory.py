"""Freed memory: kept for reuse, or handed back to the system. Both need glibc, and do nothing
elsewhere.
"""

import ctypes
import sys

# Parameters of glibc's mallopt(3).
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 256 << 20


def keep_freed_memory() -> None:
    """Let this process reuse what it frees, up to 256 MiB, without asking the system again."""
    mallopt = _glibc('mallopt')
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _KEPT_BYTES)
        mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)


def release_free_memory() -> None:
    """Return what was freed to the system.

    The network's large, short-lived blocks and the frames' small, longer-lived ones share one heap.
    What lies free between the frames would stay resident, a little more after each window.
    """
    trim = _glibc('malloc_trim')
    if trim is not None:
        trim(0)


def _glibc(name: str):
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == 'linux' else None
