"""Writing checkpoints while training goes on."""

import threading
from collections.abc import Callable


class BackgroundWriter:
    """Runs one job at a time in a thread; at most one is in flight.

    An error in a job is kept and raised by the next :meth:`submit`, :meth:`check` or :meth:`wait`.
    """

    def __init__(self):
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def submit(self, job: Callable[[], None]) -> None:
        """Start ``job`` once the one before it has ended."""
        self.wait()
        self._thread = threading.Thread(target=self._run, args=(job,), name='checkpoint-writer')
        self._thread.start()

    def check(self) -> None:
        """Raise the error of a job that has ended, without waiting for one that has not."""
        if self._thread is None or not self._thread.is_alive():
            self.wait()

    def wait(self) -> None:
        """Wait for the job in flight and raise its error."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _run(self, job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:  # handed to the training thread
            self._error = error
