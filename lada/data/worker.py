"""What a data loading worker does first."""

import ctypes

import cv2
import torch
from mmengine.registry import FUNCTIONS

# Parameters of glibc's mallopt(3).
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 256 << 20


@FUNCTIONS.register_module('init_lada_worker')
def init_worker(
    worker_id: int, num_workers: int = 0, rank: int = 0, seed: int | None = None
) -> None:
    """Keep a worker process to one thread and its freed memory; for
    ``worker_init_fn=dict(type='init_lada_worker')``.

    Several workers that each start a thread per core slow one another down. A sample allocates and
    frees tens of megabytes; handing them back to the system each time costs more than some of the
    work done in them. No seeding: samples draw from :func:`lada.data.sample_rng` only. The
    arguments are those MMEngine passes to such functions.
    """
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    keep_freed_memory()


def keep_freed_memory() -> None:
    """Let this process reuse what it frees, up to 256 MiB, without asking the system again (glibc
    only).
    """
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _KEPT_BYTES)
        mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
