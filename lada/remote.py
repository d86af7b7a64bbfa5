"""Reading files behind an address such as ``s3://bucket/name``, through fsspec.

The packages for each protocol are fsspec's: ``s3fs`` for S3 (extra ``s3``), ``gcsfs``, ``adlfs``, …
Keys, regions and endpoints are theirs too, from the environment.
"""

import posixpath
import re
import time
from collections.abc import Callable
from typing import Any, TypeVar

from lada.errors import LadaError
from lada.text import printable, reason

ATTEMPTS = 4
_FIRST_PAUSE = 0.5
"""Seconds before the second attempt; each further pause is twice as long."""
_OPTIONS = {
    # botocore's own repetitions would multiply with s3fs's and with ours: minutes, not seconds.
    's3': {
        'config_kwargs': {
            'connect_timeout': 10,
            'read_timeout': 60,
            'retries': {'total_max_attempts': 1},
        }
    }
}
_ADDRESS = re.compile(r'[a-z][a-z0-9+.-]+://', re.IGNORECASE)
Result = TypeVar('Result')


def is_address(name: object) -> bool:
    """Tell whether a name is an address, not a path."""
    return isinstance(name, str) and _ADDRESS.match(name) is not None


def join(address: str, relative: str) -> str:
    """Return the address of a file relative to that of a folder; ``..`` goes up."""
    protocol, separator, path = address.partition('://')
    return protocol + separator + posixpath.normpath(posixpath.join(path, relative))


def read(address: str, start: int = 0, size: int | None = None) -> bytes:
    """Return a file's content, or a stretch of it. Raises :class:`LadaError`.

    Args:
        address: of the file.
        start: offset of the first byte.
        size: number of bytes; all from ``start`` on unless given.
    """

    def attempt(system: Any, path: str) -> bytes:
        content = system.cat_file(path, start=start, end=None if size is None else start + size)
        if size is not None and len(content) != size:
            raise ConnectionError(f'{len(content)} bytes of {size}')
        return content

    return _trying(address, attempt)


def describe(address: str) -> tuple[int, str]:
    """Return a file's size in bytes, and a text that changes with its content. Raises
    :class:`LadaError`; FileNotFoundError where there is no such file.
    """

    def attempt(system: Any, path: str) -> tuple[int, str]:
        system.invalidate_cache(posixpath.dirname(path))
        info = system.info(path)
        marks = [str(info.get(key, '')) for key in ('ETag', 'md5Hash', 'mtime', 'LastModified')]
        return int(info['size']), '\0'.join(marks)

    return _trying(address, attempt)


def exists(address: str) -> bool:
    """Tell whether there is such a file. Raises :class:`LadaError` where nobody can say."""
    try:
        describe(address)
    except FileNotFoundError:
        return False
    return True


def _trying(address: str, attempt: Callable[[Any, str], Result]) -> Result:
    """Return what ``attempt`` returns; a lost connection is tried again, with a limit."""
    import fsspec

    last: Exception | None = None
    for number in range(ATTEMPTS):
        if number:
            time.sleep(_FIRST_PAUSE * 2 ** (number - 1))
        try:
            options = _OPTIONS.get(address.partition('://')[0].lower(), {})
            return attempt(*fsspec.core.url_to_fs(address, **options))
        except FileNotFoundError:
            raise
        except ImportError as error:
            raise LadaError(
                f'no package for {printable(address)}: {reason(error)}; for s3:// install'
                " Lada's extra s3"
            ) from error
        except (PermissionError, ValueError) as error:
            raise LadaError(
                f'cannot be read ({reason(error)}): {printable(address)}; check the address, and'
                ' the keys in the environment'
            ) from error
        # Libraries have errors of their own for lost connections.
        except Exception as error:
            last = error
    raise LadaError(
        f'cannot be read after {ATTEMPTS} attempts ({reason(last or "")}): {printable(address)};'
        ' check the connection, and the keys in the environment, then run the same command again'
    ) from last
