"""One process at a time on a dataset."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lada.errors import LadaError
from lada.platform_support import folder_lock
from lada.text import printable


@contextmanager
def only_run(root: Path, shared: bool = False) -> Iterator[None]:
    """Hold a dataset for this process, however it ends. Raises LadaError if another holds it.

    Args:
        root: of the dataset, or another folder.
        shared: let others in that share it, too.
    """
    with ExitStack() as held:
        try:
            held.enter_context(folder_lock(root, shared))
        except BlockingIOError:
            raise LadaError(
                f'another run works on this dataset: {printable(root)}; wait for it or stop it'
            ) from None
        yield
