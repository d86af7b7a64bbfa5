"""Handing freed memory back to the system."""

import ctypes
import sys


def release_free_memory() -> None:
    """Return what was freed to the system, where the C library can (glibc); elsewhere do nothing.

    The network's large, short-lived blocks and the frames' small, longer-lived ones share one heap.
    What lies free between the frames would stay resident, a little more after each window.
    """
    if sys.platform != 'linux':
        return
    trim = getattr(ctypes.CDLL(None), 'malloc_trim', None)
    if trim is not None:
        trim(0)
