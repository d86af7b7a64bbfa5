"""Files inside other files, as the members of a tar file are."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from lada import remote
from lada.errors import LadaError
from lada.text import printable, reason


class PartStore(Protocol):
    """What keeps parts of files that are far away."""

    def read(self, part: 'FilePart', /) -> bytes:
        """Return a part's bytes, which it may :meth:`~FilePart.fetch`."""
        ...


@dataclass(frozen=True)
class FilePart:
    """A stretch of a file that is a file of its own; as text, where it is and what.

    Attributes:
        path: the file, or its address.
        start: offset of the first byte.
        size: number of bytes.
        sha256: digest of these bytes, 32 bytes.
        name: what messages call it.
        store: where its bytes may be, too.
    """

    path: Path | str
    start: int
    size: int
    sha256: bytes
    name: str
    store: PartStore | None = field(default=None, compare=False, repr=False)

    def read(self) -> bytes:
        """Return the bytes, from the store if there is one. Raises :class:`LadaError` as
        :meth:`fetch` does.
        """
        return self.fetch() if self.store is None else self.store.read(self)

    def fetch(self) -> bytes:
        """Return the bytes from the file itself. Raises :class:`LadaError` where they are not those
        that were packed.
        """
        try:
            if isinstance(self.path, str):
                content = remote.read(self.path, self.start, self.size)
            else:
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
