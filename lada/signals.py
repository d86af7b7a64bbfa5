"""Worker processes and the signals that a terminal or a scheduler sends to whole process groups.

``timeout``, systemd, ``docker stop`` and SLURM tell every process of a group to stop, and Ctrl-C
does. The main process then finishes what it is at, for which it needs its workers.
"""

import multiprocessing.context
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

# Windows has no SIGUSR1.
STOPPING = [
    getattr(signal, name) for name in ('SIGTERM', 'SIGINT', 'SIGUSR1') if hasattr(signal, name)
]


def obey_parent_alone() -> None:
    """Let this process end at a signal to stop only if its parent sent it.

    Ignoring such signals would do for the group, but a parent that ends its workers would then wait
    for ever. Does nothing where the system does not tell who sent a signal (macOS, Windows).
    """
    if not hasattr(signal, 'sigwaitinfo'):
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    threading.Thread(target=_wait, args=(os.getppid(),), name='signals', daemon=True).start()


def _wait(parent: int) -> None:
    while True:
        received = signal.sigwaitinfo(STOPPING)
        if received.si_pid == parent:
            os._exit(0)  # any other status would be a failed worker to PyTorch


@contextmanager
def held_back() -> Iterator[None]:
    """Hold signals to stop back from this thread while the block runs; processes started in it hold
    them back from their first moment.
    """
    if not hasattr(signal, 'pthread_sigmask'):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def ignore_from_now_on() -> None:
    """Ignore SIGTERM and SIGUSR1 until the process ends: all is saved, and it is about to."""
    for number in STOPPING:
        if number != signal.SIGINT:
            signal.signal(number, signal.SIG_IGN)


def repeat(handler: Callable, seconds: float) -> None:
    """Call a signal handler every so many seconds, never with 0; never on Windows, which has no
    timer that interrupts.
    """
    if not hasattr(signal, 'setitimer'):
        return
    if seconds:
        signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, seconds, seconds)


if TYPE_CHECKING or hasattr(multiprocessing.context, 'ForkContext'):  # Windows has none

    class _ShieldedProcess(multiprocessing.context.ForkProcess):
        def start(self) -> None:
            with held_back():
                super().start()

    class ShieldedForkContext(multiprocessing.context.ForkContext):
        """Starts processes by fork, with signals to stop held back until they obey their parent."""

        Process = _ShieldedProcess
