"""Work spread over processes that stop when they are told to, or when their main process is
gone.
"""

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import accumulate
from multiprocessing import connection

import cv2

from lada.errors import LadaError
from lada.progress import Progress
from lada.signals import held_back, obey_parent_alone
from lada.text import counted, human_seconds


class Watch:
    """How workers and the main process see each other: frames done, clips done, and whether to
    stop.

    Args:
        context: of multiprocessing; the one that spawns processes unless given.
    """

    def __init__(self, context=None):
        make = (context or multiprocessing.get_context('spawn')).Value
        self._frames, self._clips, self._stop = make('q', 0), make('q', 0), make('b', 0)

    def frames_done(self, count: int) -> None:
        """Count frames; raises InterruptedError when the run is to stop."""
        with self._frames.get_lock():
            self._frames.value += count
        if self.stopped():
            raise InterruptedError('stopped')

    def clip_done(self) -> None:
        with self._clips.get_lock():
            self._clips.value += 1

    def stopped(self) -> bool:
        return bool(self._stop.value)

    def stop(self) -> None:
        self._stop.value = 1

    @property
    def frames(self) -> int:
        return self._frames.value

    @property
    def clips(self) -> int:
        return self._clips.value


_watch: Watch | None = None
"""Set once in each worker process: shared counters can only be handed over when the process starts.
"""


def _start_worker(watch: Watch) -> None:
    global _watch
    _watch = watch
    cv2.setNumThreads(0)
    obey_parent_alone()
    threading.Thread(target=_end_with_main_process, daemon=True).start()


def _end_with_main_process() -> None:
    """End this worker when its main process is gone, however that ended: an executor's idle workers
    wait for ever.
    """
    main_process = multiprocessing.parent_process()
    if main_process is not None:
        connection.wait([main_process.sentinel])
        os._exit(1)


def _in_worker(function: Callable, *args):
    return function(*args, _watch)


@contextmanager
def worker_pool(count: int) -> Iterator[Callable]:
    """Yield ``run(jobs, label, weights)``, which yields the jobs' results in order, in this process
    or in others.

    ``weights`` say how much work each job is, in any unit, for the time left; all the same where
    they are left away.
    """
    context = multiprocessing.get_context('spawn')
    watch = Watch(context)

    def shown(jobs, label, weights):
        return Progress(label, 'file', len(jobs), _WorkDone(weights or [1] * len(jobs), watch))

    if count <= 1:

        def run_here(jobs, label, weights=None):
            with shown(jobs, label, weights) as progress:
                for function, *args in jobs:
                    result = function(*args, watch)
                    progress.update()
                    yield result

        yield run_here
        return

    with ProcessPoolExecutor(
        count, mp_context=context, initializer=_start_worker, initargs=(watch,)
    ) as pool:

        def run_there(jobs, label, weights=None):
            with held_back():
                futures: deque[Future] = deque(pool.submit(_in_worker, *job) for job in jobs)
            with shown(jobs, label, weights) as progress:
                while futures:
                    future = futures.popleft()
                    while not wait([future], timeout=0.5).done:
                        progress.show()
                    result = future.result()
                    progress.update()
                    yield result

        try:
            yield run_there
        except BrokenProcessPool:
            raise LadaError(
                'a worker process was killed, perhaps for lack of memory: use fewer --workers, and'
                ' run the same command again to continue'
            ) from None
        except BaseException:
            watch.stop()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


class _WorkDone:
    """Says how many clips were made, how fast, and about how much time is left."""

    def __init__(self, weights: Sequence[int], watch: Watch):
        self._total, self._sums = sum(weights), [0, *accumulate(weights)]
        self._watch, self._clips_before = watch, watch.clips

    def __call__(self, jobs: int, seconds: float) -> str:
        clips = self._watch.clips - self._clips_before
        text = f'{counted(clips, "clip")}, {clips / max(seconds, 1e-3):.1f} clips/s'
        share = self._sums[jobs] / max(self._total, 1)
        return text + (
            f', about {human_seconds(seconds * (1 - share) / share)} left' if 0 < share < 1 else ''
        )
