"""Which clip each loader worker is loading, for the process that waits for it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.utils.data import get_worker_info

# More workers than that share places, which costs no more than a name.
_WORKERS = 256


class BusyClips:
    """Shared memory with one place for each worker process; nothing is noted outside of workers."""

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
