"""How far long work has come: a bar on a terminal, a line now and then in a log."""

import sys
import time
from collections.abc import Callable

from tqdm import tqdm

from lada.text import counted

LINE_EVERY = 30.0
"""Seconds between two lines where the output is no terminal."""


class Progress:
    """Context manager that shows how much of some work is done.

    Args:
        what: name of the work, at the beginning of the bar or line.
        unit: noun in the singular for what is counted.
        total: how many units there are; None where that is not known.
        detail: returns further words, given how many units and how many seconds have passed; the
            speed in units a second unless given.
    """

    def __init__(
        self,
        what: str,
        unit: str,
        total: int | None,
        detail: Callable[[int, float], str] | None = None,
    ):
        self._what, self._unit, self._total, self._detail = what, unit, total, detail
        self._done, self._started, self._last = 0, time.monotonic(), time.monotonic()

    def __enter__(self) -> 'Progress':
        own_words = (
            '{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} {unit}s [{elapsed}{postfix}]'
        )
        self._bar = tqdm(
            total=self._total,
            desc=self._what,
            unit=self._unit,
            disable=None,
            bar_format=own_words if self._detail else None,
        )
        return self

    def __exit__(self, *error) -> None:
        self._bar.close()

    def update(self) -> None:
        """Count one more unit."""
        self.reach(self._done + 1)

    def reach(self, done: int) -> None:
        """Count so many units, or as many as before where that were more."""
        self._bar.update(max(0, done - self._done))
        self._done = max(self._done, done)
        self.show()

    def show(self) -> None:
        """Bring the display up to date while a unit takes long."""
        now = time.monotonic()
        seconds = now - self._started
        if not self._bar.disable:
            if self._detail is not None:
                self._bar.set_postfix_str(self._detail(self._done, seconds))
        elif now - self._last >= LINE_EVERY:
            self._last = now
            print(self._line(seconds), file=sys.stderr, flush=True)

    def _line(self, seconds: float) -> str:
        done = counted(self._done, self._unit)
        if self._total is not None:
            done = f'{self._done:,} of {counted(self._total, self._unit)}'
        if self._detail is not None:
            return f'{self._what}: {done}, {self._detail(self._done, seconds)}'
        return f'{self._what}: {done}, {self._done / seconds:.2f} {self._unit}s/s'
