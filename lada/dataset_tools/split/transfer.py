"""Moving the files of a split from one root to the other and back, each step such that it can be
repeated.

A file is at its old place, at its new place or, complete, at both; never at neither, and never half
at one of them.
"""

import errno
import hashlib
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from lada.dataset_tools.inventory import ClipFile
from lada.dataset_tools.split.manifest import Mode
from lada.errors import LadaError
from lada.files import file_sha256, naming, nearest_existing
from lada.platform_support import mount_of
from lada.text import printable

BLOCK = 1 << 20


class Transfer:
    """Takes files from one root to the other or back.

    Args:
        train_root, val_root: of the two datasets.
        mode: how files get to the validation set.
        remove: take them out of the training set.
        temporary: a file name below ``val_root`` for copies that are not complete.
    """

    def __init__(self, train_root: Path, val_root: Path, mode: Mode, remove: bool, temporary: Path):
        self._train, self._val = str(train_root), str(val_root)
        self._mode, self._remove = mode, remove
        self._temporary = str(temporary)
        self._real_folders: dict[str, str] = {}
        self.renames = mode == 'move' and same_file_system(train_root, val_root)

    def forward(self, file: ClipFile) -> ClipFile:
        """Bring a file to the validation set, unless it is there, and return it with its hash.

        Raises LadaError if the file is not the one that was planned for.
        """
        source, target = self._paths(file)
        there = os.path.lexists(target)
        if not there or not self.renames:
            self._check_source(source, file, gone_is_fine=there)
        elif os.path.lexists(source):
            raise LadaError(
                f'a file at both places: {printable(file.path)} appeared in {printable(self._val)}'
                ' while splitting; move one of them away, then run the same command again'
            )
        if there:
            sha256 = file_sha256(target)
        elif self.renames:
            os.rename(source, target)
            sha256 = file_sha256(target)
        elif self._mode == 'hardlink':
            os.link(source, target)
            sha256 = file_sha256(target)
        elif self._mode == 'symlink':
            os.symlink(self._link_text(source, target), target)
            sha256 = file_sha256(target)
        else:
            sha256 = self._copy(source, target)
        if os.stat(target).st_size != file.size or sha256 != (file.sha256 or sha256):
            raise LadaError(_changed(source))
        return ClipFile(file.path, file.size, sha256)

    def stay(self, file: ClipFile) -> ClipFile:
        """Return a file of the training set with its hash."""
        source, _ = self._paths(file)
        self._check_source(source, file, gone_is_fine=False)
        sha256 = file_sha256(source)
        if sha256 != (file.sha256 or sha256):
            raise LadaError(_changed(source))
        return ClipFile(file.path, file.size, sha256)

    def leave(self, file: ClipFile) -> None:
        """Remove a file from the training set once it is complete in the validation set."""
        source, target = self._paths(file)
        if self._remove and not self.renames and os.path.lexists(source):
            if not os.path.lexists(target):
                raise LadaError(
                    f'{printable(target)} disappeared while splitting; put it back or use --undo'
                )
            if not _same(source, target):
                raise LadaError(_changed(source))
            os.unlink(source)

    def check_back(self, files: Iterable[ClipFile]) -> None:
        """Raise LadaError if bringing any of the files back could lose something."""
        for file in files:
            source, target = self._paths(file)
            here, there = os.path.lexists(source), os.path.lexists(target)
            if not here and not there:
                raise LadaError(
                    f'cannot undo: {printable(file.path)} is neither in {printable(self._train)}'
                    f' nor in {printable(self._val)}; put it back first, from quarantine with'
                    ' check-dataset.py --fix restore, or as an empty file if it is gone for good'
                )
            if here and there and not _same(source, target):
                raise LadaError(
                    f'cannot undo: {printable(file.path)} is different in {printable(self._train)}'
                    f' and {printable(self._val)}; move one of them away first'
                )
            if there and not here and os.path.islink(target) and not os.path.exists(target):
                raise LadaError(
                    f'cannot undo: {printable(source)}, which {printable(target)} links to, is'
                    ' gone; put it back first'
                )

    def back(self, file: ClipFile) -> None:
        """Bring a file back to the training set, unless it is there, and remove it from the
        validation set.
        """
        source, target = self._paths(file)
        if not os.path.lexists(target):
            return
        if os.path.lexists(source):
            os.unlink(target)
            return
        os.makedirs(os.path.dirname(source), exist_ok=True)
        try:
            os.rename(target, source)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            self._copy(target, source, temporary=f'{source}.lada-tmp', durable=True)
            os.unlink(target)

    def _paths(self, file: ClipFile) -> tuple[str, str]:
        return f'{self._train}/{file.path}', f'{self._val}/{file.path}'

    def _check_source(self, source: str, file: ClipFile, gone_is_fine: bool) -> None:
        try:
            size = os.stat(source).st_size
        except FileNotFoundError:
            if gone_is_fine:
                return
            raise LadaError(
                f'{printable(source)} disappeared while splitting; put it back and run the same'
                ' command again, or use --undo'
            ) from None
        if size != file.size:
            raise LadaError(_changed(source))

    def _copy(
        self, source: str, target: str, temporary: str | None = None, durable: bool = False
    ) -> str:
        temporary = temporary or self._temporary
        digest = hashlib.sha256()
        with (
            open(source, 'rb', buffering=0) as reader,
            open(temporary, 'wb', buffering=0) as writer,
            naming(target),
        ):
            before = os.fstat(reader.fileno())
            while block := reader.read(BLOCK):
                digest.update(block)
                view = memoryview(block)
                while view:
                    view = view[writer.write(view) :]
            after = os.fstat(reader.fileno())
            if durable:
                os.fsync(writer.fileno())
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise LadaError(_changed(source))
        with suppress(OSError):  # some file systems keep no modes; the content is what counts
            shutil.copystat(source, temporary)
        os.replace(temporary, target)
        return digest.hexdigest()

    def _link_text(self, source: str, target: str) -> str:
        """Return the relative path that a link at ``target`` needs, so that both roots can be moved
        together.
        """
        (there, name), here = os.path.split(source), os.path.dirname(target)
        for folder in (there, here):
            if folder not in self._real_folders:
                self._real_folders[folder] = os.path.realpath(folder)
        return os.path.relpath(f'{self._real_folders[there]}/{name}', self._real_folders[here])


def same_file_system(train_root: Path, val_root: Path) -> bool:
    """Tell whether files can be renamed and hard-linked from one root to the other."""
    nearest = nearest_existing(val_root)
    same_device = os.stat(train_root).st_dev == os.stat(nearest).st_dev
    return same_device and mount_of(train_root) == mount_of(nearest)


def _same(a: str, b: str) -> bool:
    x, y = os.stat(a), os.stat(b)
    if os.path.samestat(x, y) or (x.st_size == y.st_size and x.st_mtime_ns == y.st_mtime_ns):
        return True
    return x.st_size == y.st_size and file_sha256(a) == file_sha256(b)


def _changed(path: str) -> str:
    return (
        f'{printable(path)} changed while splitting; use --undo and split again when nothing writes'
        ' to the dataset any more'
    )
