"""One process at a time on a dataset."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lada.errors import LadaError
from lada.text import printable


@contextmanager
def only_run(root: Path, shared: bool = False) -> Iterator[None]:
    """Hold a dataset for this process, however it ends. Raises LadaError if another holds it.

    Args:
        root: of the dataset, or another folder.
        shared: let others in that share it, too.
    """
    descriptor = os.open(root, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LadaError(
                f'another run works on this dataset: {printable(root)}; wait for it or stop it'
            ) from None
        except OSError:
            pass  # network file systems that cannot lock folders: there it is up to the user
        yield
    finally:
        os.close(descriptor)
