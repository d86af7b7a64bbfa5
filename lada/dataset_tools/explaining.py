"""What is said where work that can be continued is stopped."""

from collections.abc import Iterator
from contextlib import contextmanager

from lada.errors import LadaError
from lada.text import printable


@contextmanager
def explained(what: str, advice: str) -> Iterator[None]:
    """Turn errors of the file system, and Ctrl-C, into one line that says how to go on.

    Args:
        what: the work.
        advice: how to go on with it.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f'nothing is lost: {advice}') from None
    except OSError as error:
        where = printable(error.filename or '')
        raise LadaError(
            f'{what} stopped: {error.strerror}: {where}; nothing is lost: put it right and {advice}'
        ) from error
