"""Datasets whose clips lie in a few tar files: the table of them, and reading from it.

A packed dataset is a folder with ``packed.index``: a JSON header in the first 4096 bytes, one row a
clip of one fixed layout, sorted by stem, then the JSON list of the tar files. Rows say where in
which tar file a clip's files begin, how long they are, and their SHA-256. Processes that map it
share its pages. The tar files may lie elsewhere: a split of a packed dataset is a second table. The
folder may be one behind an address, of which the table is kept on this machine.
"""

import hashlib
import json
import os
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np

from lada import remote
from lada.data import index
from lada.data.metadata import ClipMetadata
from lada.errors import LadaError
from lada.file_part import FilePart, PartStore
from lada.files import whole_file
from lada.text import counted, printable, some

FORMAT = 1
HEADER_BYTES = 4096
INDEX_NAME = 'packed.index'
_METADATA = '_meta'
"""How the names of folders for metadata end."""
ROLES = ('metadata', 'video', 'mask', 'mosaic video', 'mask of the mosaic')
PATH_FIELDS = ('video_path', 'mask_path', 'mosaic_video_path', 'mosaic_mask_path')
"""The fields of :class:`ClipMetadata` that the roles after the first stand for."""


class TarFile(NamedTuple):
    """A tar file of the dataset: path or address, and its size in bytes."""

    path: Path | str
    size: int


def row_type(stem_bytes: int) -> np.dtype:
    """Return the layout of one row: that of a folder's index, then where the clip's files are."""
    places = [
        ('key', '<i8'),
        ('tar', '<i4'),
        ('start', '<i8', len(ROLES)),
        ('bytes', '<i8', len(ROLES)),
        ('sha256', 'V32', len(ROLES)),
    ]
    plain = index.row_type(stem_bytes)
    return np.dtype([(name, plain[name]) for name in plain.names or ()] + places)


def find_packed_address(address: str) -> str:
    """Return the address of the packed dataset that ``address`` names, as :func:`find_packed`
    does. Raises :class:`LadaError` where there is none.
    """
    folders = [remote.join(address, '.')]
    if folders[0].endswith(_METADATA):
        folders.append(remote.join(address, '..'))
    for folder in folders:
        if remote.exists(remote.join(folder, INDEX_NAME)):
            return folder
    raise LadaError(
        f'no packed dataset: {printable(folders[0])} holds no {INDEX_NAME}; an address is that of'
        ' what pack-dataset.py wrote'
    )


def find_packed(path: Path) -> Path | None:
    """Return the folder of the packed dataset that ``path`` names, None where it names none.

    Where no such folder for metadata exists its parent may be meant, so that a config that asks for
    ``ROOT/crop_unscaled_meta`` also takes a packed ``ROOT``.
    """
    inside = path.name.endswith(_METADATA) and not path.exists()
    folder = path.parent if inside else path
    return folder if (folder / INDEX_NAME).is_file() else None


def open_packed(name: str | os.PathLike, store: PartStore | None = None) -> 'PackedDataset | None':
    """Open the packed dataset that a path or an address names; None for a path that names none.
    Raises :class:`LadaError` as :meth:`PackedDataset.open`.

    Args:
        name: as of :func:`find_packed` and :func:`find_packed_address`.
        store: what keeps downloaded files.
    """
    if isinstance(name, str) and remote.is_address(name):
        return PackedDataset.open(find_packed_address(name), store=store)
    place = find_packed(Path(os.path.abspath(name)))
    return None if place is None else PackedDataset.open(place)


@dataclass(frozen=True)
class PackedClip:
    """Where a clip of a packed dataset is.

    Attributes:
        stem: of the clip.
        place: where its metadata would be in a dataset of single files.
        root: of the packed dataset.
        parts: one for each of :data:`ROLES`, None for what the clip does not have.
    """

    stem: str
    place: Path
    root: Path
    parts: tuple[FilePart | None, ...]

    def content(self) -> bytes:
        """Return the metadata as it was packed."""
        assert self.parts[0] is not None
        return self.parts[0].read()

    def metadata(self) -> ClipMetadata:
        """Return the metadata; its paths are parts of tar files. Raises :class:`LadaError`."""
        clip = self.unpacked_metadata()
        return replace(clip, **dict(zip(PATH_FIELDS, self.parts[1:], strict=True)))

    def unpacked_metadata(self) -> ClipMetadata:
        """Return the metadata with the paths that the files have once they are unpacked into
        ``root``.
        """
        return ClipMetadata.from_bytes(self.content(), self.place, self.root)


class PackedDataset:
    """The clips of a packed dataset.

    Args:
        folder: that holds the table, or its address.
        rows: of the table, sorted by stem.
        tars: the tar files that rows count.
        metadata_folder: name of the folder for metadata once it is unpacked.
        store: what keeps downloaded files.
    """

    def __init__(
        self,
        folder: Path | str,
        rows: np.ndarray,
        tars: list[TarFile],
        metadata_folder: str,
        store: PartStore | None = None,
    ) -> None:
        self.folder = folder
        self.store = store
        self.rows = rows
        self.tars = tars
        self.metadata_folder = metadata_folder
        self._numbers: dict[str, int] | None = None

    @classmethod
    def open(
        cls, folder: str | os.PathLike, check_tars: bool = True, store: PartStore | None = None
    ) -> 'PackedDataset':
        """Open a packed dataset. Raises :class:`LadaError` if its table is damaged, or a tar file
        is missing or cut short.

        Args:
            folder: that holds ``packed.index``, or its address.
            check_tars: look at the tar files.
            store: what keeps downloaded files; local files are not stored again.
        """
        if isinstance(folder, str) and remote.is_address(folder):
            dataset = cls(folder, *_read(_download(folder), folder), store)
        else:
            folder = Path(os.path.abspath(folder))
            dataset = cls(folder, *_read(folder / INDEX_NAME, folder))
        if check_tars:
            dataset.check_tars()
        return dataset

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> PackedClip:
        row = self.rows[number]
        tar = self.tars[row['tar']].path
        stem = os.fsdecode(bytes(row['stem']))
        parts = tuple(
            FilePart(
                tar,
                int(start),
                int(size),
                digest.tobytes(),
                f'{role} of {printable(stem)}',
                self.store,
            )
            if size
            else None
            for role, start, size, digest in zip(
                ROLES, row['start'], row['bytes'], row['sha256'], strict=True
            )
        )
        root = Path('/', str(self.folder))
        return PackedClip(stem, root / self.metadata_folder / f'{stem}.json', root, parts)

    def clip(self, stem: str) -> PackedClip:
        """Return one clip by its stem."""
        if self._numbers is None:
            self._numbers = {name: number for number, name in enumerate(self.stems())}
        return self[self._numbers[stem]]

    def stems(self) -> list[str]:
        """Return the stems of all clips, in their order."""
        return [os.fsdecode(stem) for stem in self.rows['stem'].tolist()]

    def check_tars(self) -> None:
        """Raise :class:`LadaError` that names the tar files that are missing or have another
        size.
        """
        bad = {}
        for number, (path, size) in enumerate(self.tars):
            try:
                found = remote.describe(path)[0] if isinstance(path, str) else path.stat().st_size
            except OSError as error:
                bad[number] = f'{path} ({error.strerror or "not there"})'
            else:
                if found != size:
                    bad[number] = f'{path} ({found:,} bytes of {size:,})'
        if bad:
            lost = int(np.isin(self.rows['tar'], list(bad)).sum())
            raise LadaError(
                f'{counted(len(bad), "tar file")} of a packed dataset missing or cut short, with'
                f' {counted(lost, "clip")} of {len(self):,}: {some(list(bad.values()))}; put sound'
                ' copies in their places, or pack the dataset again'
            )


def write_index(
    folder: Path, rows: np.ndarray, tars: list[TarFile], metadata_folder: str, **facts: object
) -> None:
    """Write the table of a packed dataset, whole or not at all.

    Tar files that no row is in are left out.

    Args:
        folder: that shall hold the table.
        rows: as :func:`row_type`, in any order.
        tars: the tar files that rows count.
        metadata_folder: name of the folder for metadata once it is unpacked.
        facts: further entries of the header.
    """
    rows = rows[np.argsort(rows['stem'], kind='stable')]
    used = np.unique(rows['tar'])
    rows['tar'] = np.searchsorted(used, rows['tar'])
    listed = [[os.path.relpath(tars[number].path, folder), tars[number].size] for number in used]
    body = rows.tobytes() + json.dumps(listed).encode()
    header = {
        'lada_packed': FORMAT,
        'count': len(rows),
        'stem_bytes': rows.dtype['stem'].itemsize,
        'metadata_folder': metadata_folder,
        'crc32': zlib.crc32(body),
        **facts,
    }
    with whole_file(folder / INDEX_NAME) as file:
        file.write(json.dumps(header).encode().ljust(HEADER_BYTES))
        file.write(body)


def read_header(folder: Path) -> dict:
    """Return the header of a packed dataset's table. Raises :class:`LadaError`."""
    place = folder / INDEX_NAME
    try:
        with open(place, 'rb') as file:
            header = json.loads(file.read(HEADER_BYTES))
            if header['lada_packed'] != FORMAT:
                _fail(place, f'has format {header["lada_packed"]!r:.20}, not {FORMAT}')
            return header
    except OSError as error:
        _fail(place, f'cannot be read ({error.strerror})')
    except (ValueError, TypeError, KeyError, RecursionError):
        _fail(place, 'is damaged')


def _download(folder: str) -> Path:
    """Return the path of this machine's copy of the table at an address."""
    address = remote.join(folder, INDEX_NAME)
    _, version = remote.describe(address)
    key = hashlib.sha256(f'{address}\0{version}'.encode()).hexdigest()[:32]
    place = index.cache_folder() / key / INDEX_NAME
    if not place.exists():
        content = remote.read(address)
        with whole_file(place) as file:
            file.write(content)
    return place


def _read(place: Path, folder: Path | str) -> tuple[np.ndarray, list[TarFile], str]:
    header = read_header(place.parent)
    try:
        dtype = row_type(int(header['stem_bytes']))
        count = int(header['count'])
        with open(place, 'rb') as file:
            content = np.memmap(file, np.uint8, mode='r')
        body = content[HEADER_BYTES:]
        end = count * dtype.itemsize
        if count < 0 or zlib.crc32(body.data) != header['crc32']:
            raise ValueError
        tars = [
            TarFile(
                remote.join(folder, path)
                if isinstance(folder, str)
                else Path(os.path.normpath(folder / path)),
                size,
            )
            for path, size in json.loads(bytes(body[end:]))
        ]
        return body[:end].view(dtype), tars, header['metadata_folder']
    except OSError as error:
        _fail(place, f'cannot be read ({error.strerror})')
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
        _fail(place, 'is damaged or cut short')


def _fail(place: Path, what: str) -> NoReturn:
    raise LadaError(
        f'the table of a packed dataset {what}: {printable(place)}; put a sound copy in its place,'
        ' or pack the dataset again'
    )
