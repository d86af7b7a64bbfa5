"""Work spread over processes that stop when they are told to, or when their main process is
gone.
"""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from multiprocessing import connection

import cv2
from tqdm import tqdm

from lada.errors import LadaError
from lada.text import counted, human_seconds

LOG_EVERY = 60.0
"""Seconds between lines where the output is no terminal."""


class Watch:
    """How workers and the main process see each other: frames done, clips done, and whether to
    stop.
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
    if count <= 1:

        def run_here(jobs, label, weights=None):
            with closing(_Progress(label, weights or [1] * len(jobs), watch)) as progress:
                for function, *args in jobs:
                    result = function(*args, watch)
                    progress.job_done()
                    yield result

        yield run_here
        return

    with ProcessPoolExecutor(
        count, mp_context=context, initializer=_start_worker, initargs=(watch,)
    ) as pool:

        def run_there(jobs, label, weights=None):
            with _ignoring_interrupts():
                futures: deque[Future] = deque(pool.submit(_in_worker, *job) for job in jobs)
            with closing(_Progress(label, weights or [1] * len(jobs), watch)) as progress:
                while futures:
                    future = futures.popleft()
                    while not wait([future], timeout=0.5).done:
                        progress.show()
                    result = future.result()
                    progress.job_done()
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
def _ignoring_interrupts() -> Iterator[None]:
    """Let processes started in here ignore Ctrl-C from their first moment: the main process tells
    them to stop.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class _Progress:
    """A bar on a terminal; elsewhere a line a minute."""

    def __init__(self, label: str, weights: list[int], watch: Watch):
        self._label, self._weights, self._watch = label, weights, watch
        self._jobs, self._begin = 0, time.monotonic()
        self._clips_before, self._said = watch.clips, self._begin
        self._bar = tqdm(
            total=len(weights),
            desc=label,
            unit='file',
            disable=not sys.stderr.isatty(),
            leave=False,
            bar_format=(
                '{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} files [{elapsed}{postfix}]'
            ),
        )

    def job_done(self) -> None:
        self._jobs += 1
        self._bar.update(1)
        self.show()

    def show(self) -> None:
        now = time.monotonic()
        if self._bar.disable and now - self._said < LOG_EVERY:
            return
        self._said = now
        text = self._text(now - self._begin)
        if self._bar.disable:
            tqdm.write(
                f'{self._label}: {self._jobs} of {counted(len(self._weights), "file")}, {text}',
                sys.stderr,
            )
        else:
            self._bar.set_postfix_str(text)

    def _text(self, seconds: float) -> str:
        clips = self._watch.clips - self._clips_before
        text = f'{counted(clips, "clip")}, {clips / max(seconds, 1e-3):.1f} clips/s'
        share = sum(self._weights[: self._jobs]) / max(sum(self._weights), 1)
        return text + (
            f', about {human_seconds(seconds * (1 - share) / share)} left' if 0 < share < 1 else ''
        )

    def close(self) -> None:
        self._bar.close()
