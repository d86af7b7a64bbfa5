"""How far long work has come: a bar on a terminal, a line now and then in a log."""

import sys
import time

from tqdm import tqdm

LINE_EVERY = 30.0
"""Seconds between two lines where the output is no terminal."""


class Progress:
    """Context manager; ``update()`` after each of ``total`` units (``None``: unknown)."""

    def __init__(self, what: str, unit: str, total: int | None):
        self._what, self._unit, self._total = what, unit, total
        self._done, self._started, self._last = 0, time.monotonic(), time.monotonic()

    def __enter__(self) -> 'Progress':
        self._bar = tqdm(total=self._total, desc=self._what, unit=self._unit, disable=None)
        return self

    def __exit__(self, *error) -> None:
        self._bar.close()

    def update(self) -> None:
        """Count one more unit."""
        self._bar.update()
        self._done += 1
        now = time.monotonic()
        if self._bar.disable and now - self._last >= LINE_EVERY:
            self._last = now
            of = '' if self._total is None else f' of {self._total}'
            print(
                f'{self._what}: {self._done}{of} {self._unit}s,'
                f' {self._done / (now - self._started):.2f} {self._unit}s/s',
                file=sys.stderr,
                flush=True,
            )
