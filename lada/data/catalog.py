"""The clips of one split."""

import os
import zlib
from pathlib import Path

import numpy as np

from lada.data.index import CENSORING, NUDENET_NSFW, UNREADABLE, WATERMARK, open_index
from lada.data.metadata import ClipMetadata
from lada.data.packed import PackedDataset, open_packed
from lada.errors import LadaError
from lada.file_part import PartStore

# Of metadata files here, and of the draws of a training (BadSamplesHook).
MAX_BAD_FRACTION = 0.01


class ClipCatalog:
    """The clips of one split, sorted by the bytes of their stems.

    What filters need stands in columns of a memory-mapped index that all processes share; the rest
    of a clip's metadata is read from its JSON file when the clip is asked for. Pickling passes the
    folder on, not the rows.

    Args:
        folder: of the clips' JSON files, or of the packed dataset; an absolute path or an address.
        rows: as :func:`lada.data.index.open_index` returns them, or some of them.
        packed: the dataset, where it is a packed one.
    """

    def __init__(
        self, folder: Path | str, rows: np.ndarray, packed: PackedDataset | None = None
    ) -> None:
        self.folder = folder
        self.rows = rows
        self.packed = packed

    @classmethod
    def open(
        cls,
        metadata_root_dir: str | os.PathLike,
        refresh: bool = False,
        store: PartStore | None = None,
    ) -> 'ClipCatalog':
        """Open a split.

        The index is brought up to date where the folder changed since (see
        :func:`lada.data.index.open_index`). A few metadata files that cannot be read are no reason
        to refuse all others: see :attr:`unreadable`. More than :data:`MAX_BAD_FRACTION` of them end
        with an error that names the first.

        Args:
            metadata_root_dir: folder of the clips' JSON files, or of a packed dataset, or the
                latter's address.
            refresh: also look for files that were edited in place.
            store: what keeps downloaded files.
        """
        packed = open_packed(metadata_root_dir, store)
        if packed is not None:
            return cls(packed.folder, packed.rows, packed)
        folder = Path(os.path.abspath(metadata_root_dir))
        catalog = cls(folder, open_index(folder, refresh))
        bad = np.flatnonzero(catalog.unreadable)
        if len(bad) > MAX_BAD_FRACTION * len(catalog):
            try:
                catalog[int(bad[0])]
            except LadaError as error:
                count = f'{len(bad)} of {len(catalog)} metadata files cannot be read'
                raise LadaError(f'{count}, the first: {error}') from error
        return catalog

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> ClipMetadata:
        if self.packed is not None:
            return self.packed[index].metadata()
        return ClipMetadata.from_file(Path(self.folder) / f'{self.stem(index)}.json')

    def __reduce__(self) -> tuple:
        if isinstance(self.rows, np.memmap):
            store = None if self.packed is None else self.packed.store
            return _reopen, (self.folder, _digest(self.rows), store)
        return ClipCatalog, (self.folder, self.rows)

    def stem(self, index: int) -> str:
        """Return the stem of one clip."""
        return os.fsdecode(bytes(self.rows[index]['stem']))

    @property
    def stems(self) -> np.ndarray:
        """UTF-8 bytes, fixed width."""
        return self.rows['stem']

    @property
    def frames_count(self) -> np.ndarray:
        """int32."""
        return self.rows['frames_count']

    @property
    def quality(self) -> np.ndarray:
        """float32, ``video_quality.overall``; NaN where unknown."""
        return self.rows['quality']

    @property
    def sources(self) -> np.ndarray:
        """uint64, a hash of what the clip was cut from: equal for clips of one source."""
        return self.rows['source']

    @property
    def unreadable(self) -> np.ndarray:
        """bool; such a clip has 0 frames, and asking for it raises."""
        return (self.rows['flags'] & UNREADABLE) != 0

    @property
    def watermark(self) -> np.ndarray:
        """bool, as the next two; False where nobody looked."""
        return (self.rows['flags'] & WATERMARK) != 0

    @property
    def nudenet_nsfw(self) -> np.ndarray:
        return (self.rows['flags'] & NUDENET_NSFW) != 0

    @property
    def censoring(self) -> np.ndarray:
        return (self.rows['flags'] & CENSORING) != 0


def _digest(rows: np.ndarray) -> int:
    return zlib.crc32(rows.data)


def _reopen(folder: Path | str, digest: int, store: PartStore | None) -> ClipCatalog:
    catalog = ClipCatalog.open(folder, store=store)
    if _digest(catalog.rows) != digest:
        raise LadaError(f'the dataset changed while it was being opened: {folder}; start again')
    return catalog
