"""Decoded clips kept on local disk or in shared memory, for those who have more of it than of
processors.
"""

import contextlib
import hashlib
import os
from pathlib import Path

import numpy as np

from lada.errors import LadaError
from lada.file_part import FilePart
from lada.files import temporary_name
from lada.video import SizedClip, VideoError, read_clip


class FrameCache:
    """Reads frames as :func:`lada.video.read_clip` does, the same bytes, and keeps whole decoded
    files.

    All processes of a machine share ``folder``, which outlives them: delete it to free the space. A
    file that changed is decoded again. Nothing is thrown out: where ``max_gb`` is used up, or the
    disk is full, further clips are decoded each time. (Samples come in random order, so that no
    clip is likelier to come next than another.)

    Args:
        folder: on a local disk, or below /dev/shm for shared memory.
        max_gb: size limit in units of 10**9 bytes. Processes that store at the same moment may pass
            it by a clip each.
    """

    def __init__(self, folder: str | Path, max_gb: float) -> None:
        self.folder, self.max_bytes = limited_folder('cache', folder, max_gb)
        self._full = False

    def read(
        self,
        path: Path | FilePart,
        start: int,
        stop: int,
        *,
        gray: bool = False,
        size: tuple[int, int] | None = None,
    ) -> SizedClip:
        """Return frames ``start`` to ``stop``.

        Args:
            path: video file, or part of a file.
            start, stop: frames from ``start`` on and before ``stop``.
            gray: return luma planes instead.
            size: height and width of the frames, the file's unless given. Each size is kept by
                itself.
        """
        place = self._place(path, gray, size)
        kept = _map(place) if place is not None else None
        if kept is None and place is not None and not self._full:
            # Damage outside of the range must not fail a sample that would load without a cache.
            with contextlib.suppress(VideoError):
                kept = read_clip(path, gray=gray, size=size)
                self._store(place, kept)
        if kept is None or len(kept.frames) < stop:
            return read_clip(path, start, stop, gray=gray, size=size)
        return SizedClip(np.array(kept.frames[start:stop]), kept.shape)

    def _place(
        self, path: Path | FilePart, gray: bool, size: tuple[int, int] | None
    ) -> Path | None:
        form = f'{gray}\0{size}'
        if isinstance(path, FilePart):
            key = f'{path.sha256.hex()}\0{form}'
        else:
            try:
                status = os.stat(path)
            except OSError:
                return None
            key = f'{os.path.realpath(path)}\0{status.st_size}\0{status.st_mtime_ns}\0{form}'
        return self.folder / f'{hashlib.sha256(os.fsencode(key)).hexdigest()[:32]}.npy'

    def _store(self, place: Path, clip: SizedClip) -> None:
        temporary = temporary_name(place)
        try:
            with os.scandir(self.folder) as entries:
                used = sum(entry.stat().st_size for entry in entries)
            if used + clip.frames.nbytes > self.max_bytes:
                self._full = True
                return
            with open(temporary, 'wb') as file:
                np.save(file, clip.frames, allow_pickle=False)
                np.save(file, clip.shape, allow_pickle=False)
            os.replace(temporary, place)
        except OSError:
            # Another process may have renamed a file while they were counted; a full disk stays
            # full.
            temporary.unlink(missing_ok=True)


def limited_folder(name: str, folder: str | Path, max_gb: float) -> tuple[Path, int]:
    """Return a folder, which is made, and how many bytes it may hold. Raises :class:`LadaError`.

    Args:
        name: of the argument of a config, for messages.
        folder: for files that can be made again.
        max_gb: size limit in units of 10**9 bytes.
    """
    if not max_gb > 0:
        raise LadaError(f'{name}: max_gb is {max_gb}; use a number above 0')
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LadaError(
            f'{name}: cannot make the folder {folder} ({error.strerror}); choose another'
        ) from error
    return Path(folder), int(max_gb * 1e9)


def _map(place: Path) -> SizedClip | None:
    """Return the stored frames, or None where there are none or where they are damaged."""
    try:
        frames = np.load(place, mmap_mode='r', allow_pickle=False)
        with open(place, 'rb') as file:
            file.seek(frames.offset + frames.nbytes)
            height, width = np.load(file, allow_pickle=False).tolist()
    except (OSError, ValueError, EOFError):
        return None
    return SizedClip(frames, (height, width))
