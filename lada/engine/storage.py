"""A file backend for MMEngine that never leaves a half-written file under its final name."""

from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from lada.files import write_atomically

BACKEND_NAME = 'lada.atomic'


class AtomicLocalBackend(LocalBackend):
    """MMEngine's local backend with durable, all-or-nothing writes."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        write_atomically(Path(filepath), obj)

    def put_text(self, obj: str, filepath: str | Path, encoding: str = 'utf-8') -> None:
        write_atomically(Path(filepath), obj.encode(encoding))


register_backend(BACKEND_NAME, AtomicLocalBackend, force=True)
