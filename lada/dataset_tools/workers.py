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
        self.on_frames: Callable[[], None] = lambda: None
        """Called when this process has counted frames."""

    def __getstate__(self):
        return {**self.__dict__, 'on_frames': None}

    def __setstate__(self, state):
        self.__dict__.update(state, on_frames=lambda: None)

    def frames_done(self, count: int) -> None:
        """Count frames; raises InterruptedError when the run is to stop."""
        with self._frames.get_lock():
            self._frames.value += count
        self.on_frames()
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
    """Yield ``run(jobs, label, weights, frames)``, which yields the jobs' results in order, in this
    process or in others.

    ``weights`` say how much work each job is, in any unit, for the time left; all the same where
    they are left away. ``frames`` is how many all jobs count together: progress is theirs then, so
    that one long file shows some.
    """
    context = multiprocessing.get_context('spawn')
    watch = Watch(context)

    if count <= 1:

        def run_here(jobs, label, weights=None, frames=None):
            with _shown(len(jobs), label, weights, frames, watch) as show:
                watch.on_frames = lambda: show(0)
                for function, *args in jobs:
                    result = function(*args, watch)
                    show(1)
                    yield result

        yield run_here
        return

    with ProcessPoolExecutor(
        count, mp_context=context, initializer=_start_worker, initargs=(watch,)
    ) as pool:

        def run_there(jobs, label, weights=None, frames=None):
            with held_back():
                futures: deque[Future] = deque(pool.submit(_in_worker, *job) for job in jobs)
            with _shown(len(jobs), label, weights, frames, watch) as show:
                while futures:
                    future = futures.popleft()
                    while not wait([future], timeout=0.5).done:
                        show(0)
                    result = future.result()
                    show(1)
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


@contextmanager
def _shown(
    jobs: int, label: str, weights: Sequence[int] | None, frames: int | None, watch: Watch
) -> Iterator[Callable[[int], None]]:
    """Yield what takes the number of jobs finished since and shows how far all is, how fast, and
    about how much time is left.
    """
    clips_before, frames_before = watch.clips, watch.frames
    total = sum(weights) if weights else jobs
    sums = [0, *accumulate(weights or [1] * jobs)]

    def detail(done: int, seconds: float) -> str:
        clips = watch.clips - clips_before
        text = f'{counted(clips, "clip")}, {clips / max(seconds, 1e-3):.1f} clips/s'
        share = sums[done] / max(total, 1) if frames is None else done / max(frames, 1)
        if not 0 < share < 1:
            return text
        return f'{text}, about {human_seconds(seconds * (1 - share) / share)} left'

    with Progress(label, *(('file', jobs) if frames is None else ('frame', frames)), detail) as bar:
        finished = 0

        def show(more: int) -> None:
            nonlocal finished
            finished += more
            bar.reach(finished if frames is None else min(frames, watch.frames - frames_before))

        yield show
