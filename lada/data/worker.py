"""Loader workers: what each does first, and what each is busy with."""

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import BaseContext

import cv2
import torch
from mmengine.registry import FUNCTIONS
from torch.utils.data import get_worker_info

from lada import signals
from lada.memory import keep_freed_memory

# More workers than that share places, which costs no more than a name.
_WORKERS = 256


@FUNCTIONS.register_module('init_lada_worker')
def init_worker(
    worker_id: int, num_workers: int = 0, rank: int = 0, seed: int | None = None
) -> None:
    """Keep a worker process to one thread and its freed memory, and let it obey its parent alone;
    for ``worker_init_fn=dict(type='init_lada_worker')``.

    Several workers that each start a thread per core slow one another down. A sample allocates and
    frees tens of megabytes; handing them back to the system each time costs more than some of the
    work done in them. No seeding: samples draw from :func:`lada.data.sample_rng` only. MMEngine
    passes these arguments to every such function; none is used.

    Args:
        worker_id: number of the worker.
        num_workers: how many there are.
        rank: of the process that they load for.
        seed: unused.
    """
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    keep_freed_memory()
    signals.obey_parent_alone()


def worker_context() -> BaseContext | None:
    """Return how a loader starts its workers: shielded from signals to whole groups where they are
    forked, else PyTorch's way (``None``).
    """
    method = multiprocessing.get_start_method(allow_none=True)
    forks = (method or multiprocessing.get_all_start_methods()[0]) == 'fork'
    return signals.ShieldedForkContext() if forks else None


class BusyClips:
    """Which clip each loader worker is loading, for the process that waits for it.

    Shared memory with one place for each worker process; nothing is noted outside of workers.
    """

    def __init__(self) -> None:
        self._index = torch.full((_WORKERS,), -1, dtype=torch.int64).share_memory_()

    @contextmanager
    def note(self, index: int) -> Iterator[None]:
        """Note that this worker is busy with a clip while the block runs."""
        worker = get_worker_info()
        if worker is None:
            yield
            return
        place = worker.id % _WORKERS
        self._index[place] = index
        yield
        # A worker that dies of an error leaves its note.
        self._index[place] = -1

    def indices(self) -> list[int]:
        """Return the clips that workers are busy with."""
        return sorted(set(self._index[self._index >= 0].tolist()))
