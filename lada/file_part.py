"""Files inside other files, as the members of a tar file are."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from lada.errors import LadaError
from lada.text import printable, reason


@dataclass(frozen=True)
class FilePart:
    """A stretch of a file that is a file of its own; as text, where it is and what.

    Attributes:
        path: the file.
        start: offset of the first byte.
        size: number of bytes.
        sha256: digest of these bytes, 32 bytes.
        name: what messages call it.
    """

    path: Path
    start: int
    size: int
    sha256: bytes
    name: str

    def read(self) -> bytes:
        """Return the bytes. Raises :class:`LadaError` where they are not those that were packed."""
        try:
            with open(self.path, 'rb', buffering=0) as file:
                file.seek(self.start)
                content = file.read(self.size)
        except OSError as error:
            raise LadaError(
                f'cannot be read ({reason(error)}): {printable(self)}; put the file back'
            ) from error
        if hashlib.sha256(content).digest() != self.sha256:
            raise LadaError(
                f'damaged: {printable(self)} is not what was packed; pack the dataset again, or'
                ' put a sound copy of the file in its place'
            )
        return content

    def __str__(self) -> str:
        return f'{self.path} ({self.name})'
