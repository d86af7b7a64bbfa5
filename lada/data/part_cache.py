"""Downloaded files kept on local disk."""

import contextlib
import hashlib
import os
from pathlib import Path

from lada.data.cache import limited_folder
from lada.file_part import FilePart
from lada.files import temporary_name

KEEP = 0.9
"""Share of the limit that stays when the cache is emptied."""
LOOK_AGAIN = 0.02
"""Share of the limit that a process adds before it counts the folder again."""


class PartCache:
    """Keeps the bytes of parts of files by their hash; what was not used longest goes first.

    All processes of a machine share ``folder``, which outlives them. A damaged file there is
    downloaded again.

    Args:
        folder: on a local disk.
        max_gb: size limit in units of 10**9 bytes. Processes that store at the same moment may pass
            it by a fiftieth each.
    """

    def __init__(self, folder: str | Path, max_gb: float) -> None:
        self.folder, self.max_bytes = limited_folder('download_cache', folder, max_gb)
        self._added = self.max_bytes  # count before the first file is added

    def read(self, part: FilePart) -> bytes:
        """Return a part's bytes, from the folder where they are there. Raises
        :class:`LadaError`.
        """
        place = self.folder / f'{part.sha256.hex()}.part'
        with contextlib.suppress(OSError):
            content = place.read_bytes()
            if hashlib.sha256(content).digest() == part.sha256:
                os.utime(place)
                return content
        content = part.fetch()
        self._store(place, content)
        return content

    def _store(self, place: Path, content: bytes) -> None:
        temporary = temporary_name(place)
        try:
            self._added += len(content)
            if self._added > LOOK_AGAIN * self.max_bytes:
                self._make_room(len(content))
                self._added = 0
            temporary.write_bytes(content)
            temporary.replace(place)
        except OSError:  # a full disk: the sample has its bytes all the same
            temporary.unlink(missing_ok=True)

    def _make_room(self, size: int) -> None:
        files = []
        for path in self.folder.glob('*.part'):
            with contextlib.suppress(OSError):
                status = path.stat()
                files.append((status.st_mtime_ns, status.st_size, path))
        used = sum(each for _, each, _ in files) + size
        if used <= self.max_bytes * (1 - LOOK_AGAIN):
            return
        for _, each, path in sorted(files):
            if used <= self.max_bytes * KEEP:
                return
            path.unlink(missing_ok=True)
            used -= each
