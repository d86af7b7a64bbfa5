"""Files whole: written so that nobody ever sees half of one, and hashed."""

import hashlib
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from lada.errors import LadaError
from lada.platform_support import sync_folder
from lada.text import printable

NAME_BYTES = 255
"""How long a file's name may be on the usual file systems."""
FREE_SPACE_MARGIN = 1.02
"""How much more than what is written has to be free."""


def fitting_name(stem: str, ending: str, most: int = NAME_BYTES) -> str:
    """Return ``stem + ending``, the stem cut where the name would be too long.

    Args:
        stem: what is cut, between characters.
        ending: what stays.
        most: bytes of the name.
    """
    room = most - len(os.fsencode(ending))
    return os.fsencode(stem)[:room].decode(errors='ignore') + ending


def beside(path: Path, mark: str) -> Path:
    """Return a path with a mark behind its stem, which is cut where the name would be too long."""
    return path.with_name(fitting_name(path.stem, mark + path.suffix))


def temporary_name(path: Path) -> Path:
    """Return a hidden name beside ``path`` that no other process uses, for what is to get its name
    when it is complete.
    """
    ending = f'.{os.getpid()}-{secrets.token_hex(4)}.tmp'
    return path.with_name(fitting_name(f'.{path.name}', ending))


@contextmanager
def whole_file(path: Path, temporary: Path | None = None) -> Iterator[IO[bytes]]:
    """Open ``path`` for binary writing under a temporary name; it takes its name when the block
    ends well.

    ``path`` then holds all of the new content, also after a power cut; an exception leaves it as it
    was. Of two processes that write one path at the same time, the later one wins.

    Args:
        path: file to write; its folder is made where it is missing.
        temporary: the name to use until then, on the same file system; a hidden one beside
            ``path`` unless given.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_name(path) if temporary is None else temporary
    file = open(temporary, 'wb')  # noqa: SIM115 - closed below, before its name changes
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


@contextmanager
def naming(path: str | os.PathLike) -> Iterator[None]:
    """Let errors that name no file, as writing to a full disk raises them, name this one."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            error.filename = os.fspath(path)
        raise


def nearest_existing(path: Path) -> Path:
    """Return the path itself or its nearest parent that exists."""
    while not path.exists():
        path = path.parent
    return path


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file as :func:`whole_file` does.

    Args:
        path: file to write.
        data: its whole content.
    """
    with whole_file(path) as file:
        file.write(data)


def file_sha256(path: str | os.PathLike, stopped: Callable[[], bool] = lambda: False) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal digits.

    Args:
        path: the file.
        stopped: asked after each megabyte; once it says yes, InterruptedError is raised.
    """
    digest = hashlib.sha256()
    with open(path, 'rb', buffering=0) as file:
        while block := file.read(1 << 20):
            digest.update(block)
            if stopped():
                raise InterruptedError(f'stopped while reading {printable(path)}')
    return digest.hexdigest()


def refuse_to_replace(
    paths: Iterable[Path], overwrite: bool, other: str = 'choose another name'
) -> None:
    """Raise :class:`LadaError` when one of ``paths`` exists, unless the user wants it replaced.

    Args:
        paths: files about to be written.
        overwrite: what ``--overwrite`` says.
        other: what the user can do instead.
    """
    existing = [path for path in paths if path.exists()]
    if existing and not overwrite:
        raise LadaError(f'there is already {printable(existing[0])}; {other}, or add --overwrite')
