"""What a check has found."""

import shlex
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from lada.text import one_line

PIP = f'{shlex.quote(sys.executable)} -m pip'
"""How a remedy calls pip."""
OK, WARNING, PROBLEM = 'ok', 'warning', 'problem'
"""States of a finding. With a problem nothing can be trained."""


class Finding(NamedTuple):
    """What a check has found.

    Attributes:
        name: what was looked at.
        state: :data:`OK`, :data:`WARNING` or :data:`PROBLEM`.
        found: in a line.
        remedy: command that mends it; empty where nothing is to be mended.
    """

    name: str
    state: str
    found: str
    remedy: str = ''


def findings(checks: Iterable[Callable[[], Iterable[Finding]]]) -> Iterator[Finding]:
    """Yield what checks find; one that fails has found a problem."""
    for check in checks:
        try:
            yield from check()
        except Exception as error:  # whatever a broken installation raises
            text = f'cannot be looked at: {type(error).__name__}: {one_line(error)}'
            yield Finding(check.__name__.replace('_', ' '), PROBLEM, text)
