"""The memory-mapped table behind a catalog: one row a clip, one file a split.

The file is a JSON header in the first 4096 bytes and then rows of one fixed layout, sorted by stem.
Processes that map it share its pages. It holds nothing that cannot be made again from the metadata
files, so whatever looks wrong about it is rebuilt, not reported.
"""

import hashlib
import json
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lada.data.metadata import ClipMetadata, MetadataError
from lada.errors import LadaError
from lada.files import whole_file

FORMAT = 2
HEADER_BYTES = 4096
SUFFIX = '.json'
# A folder's time stamp may not move for changes made within one tick of the file system's clock (up
# to 2 s on some).
SETTLED_NS = 2_000_000_000

WATERMARK, NUDENET_NSFW, CENSORING, UNREADABLE = 1, 2, 4, 8


def row_type(stem_bytes: int) -> np.dtype:
    """Return the layout of one row; ``quality`` is NaN where unknown, ``flags`` is a sum of the
    constants above, ``source`` a hash of what the clip was cut from.
    """
    return np.dtype(
        [
            ('stem', f'S{stem_bytes}'),
            ('size', '<i8'),
            ('mtime_ns', '<i8'),
            ('frames_count', '<i4'),
            ('flags', 'u1'),
            ('quality', '<f4'),
            ('source', '<u8'),
        ]
    )


def open_index(folder: Path, refresh: bool = False) -> np.ndarray:
    """Return the rows of a metadata folder, from its index as far as that is up to date.

    While the folder's own modification time stays the same, no file in it was added, removed or
    renamed (this toolkit replaces files by renaming), and the index is taken as it is, without
    listing the folder. A file that another program edited in place goes unseen until ``refresh``.
    Otherwise the folder is listed, and only files whose name, size or modification time are new are
    read.

    Args:
        folder: of the clips' JSON files.
        refresh: list the folder in any case.
    """
    places = _places(folder)
    stamp = _folder_stamp(folder)
    old = None
    for place in places:
        loaded = _map(place)
        if loaded is not None:
            old, old_stamp = loaded
            if old_stamp == stamp and not refresh:
                return old
            break
    listed_at = time.time_ns()
    rows = _build(folder, old)
    # Files that could not be read are tried again, lest they be left out once they are mended.
    sound = not (rows['flags'] & UNREADABLE).any()
    settled = stamp if sound and listed_at - stamp > SETTLED_NS else 0
    for place in places:
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            _write(place, rows, settled)
        except OSError:
            continue
        loaded = _map(place)
        # Another process may have replaced the file meanwhile: what was read here is what the
        # caller asked for.
        return loaded[0] if loaded is not None and len(loaded[0]) == len(rows) else rows
    return rows


def _places(folder: Path) -> list[Path]:
    """Where the index may be: inside the dataset, else (read-only dataset) in the user's cache
    folder.
    """
    key = hashlib.sha256(os.fsencode(os.path.realpath(folder))).hexdigest()[:24]
    return [
        folder.parent / '.lada_index' / f'{folder.name}.index',
        cache_folder() / f'{key}.index',
    ]


def cache_folder() -> Path:
    """Return the folder for what can be made or downloaded again."""
    return Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache') / 'lada'


def _folder_stamp(folder: Path) -> int:
    try:
        return os.stat(folder).st_mtime_ns
    except OSError as error:
        raise LadaError(
            f'dataset folder cannot be read ({error.strerror}): {folder}; check metadata_root_dir,'
            " which is the folder of the clips' JSON files, or create the dataset first"
        ) from error


def _map(place: Path) -> tuple[np.ndarray, int] | None:
    """Return the rows and the folder's time stamp, or None where there is no sound index."""
    try:
        with open(place, 'rb') as file:
            header = json.loads(file.read(HEADER_BYTES))
            if header['format'] != FORMAT:
                return None
            dtype = row_type(int(header['stem_bytes']))
            count = int(header['count'])
            if (
                count < 1
                or os.fstat(file.fileno()).st_size != HEADER_BYTES + count * dtype.itemsize
            ):
                return None
            rows = np.memmap(file, dtype, mode='r', offset=HEADER_BYTES, shape=(count,))
            return rows, int(header['folder_mtime_ns'])
    except (OSError, ValueError, TypeError, KeyError, RecursionError, OverflowError):
        return None


def _write(place: Path, rows: np.ndarray, stamp: int) -> None:
    header = {
        'format': FORMAT,
        'count': len(rows),
        'stem_bytes': rows.dtype['stem'].itemsize,
        'folder_mtime_ns': stamp,
    }
    with whole_file(place) as file:
        file.write(json.dumps(header).encode().ljust(HEADER_BYTES))
        rows.tofile(file)


def _build(folder: Path, old: np.ndarray | None) -> np.ndarray:
    files = sorted(_list(folder))
    if not files:
        raise LadaError(
            f'dataset is empty: no metadata file (*{SUFFIX}) in {folder}; check metadata_root_dir'
            ' or create the dataset first'
        )
    rows = np.zeros(len(files), row_type(max(len(stem) for stem, _, _ in files)))
    known = (
        {}
        if old is None
        else {
            file: row
            for row, file in enumerate(
                zip(*(old[name].tolist() for name in ('stem', 'size', 'mtime_ns')), strict=True)
            )
            if not old['flags'][row] & UNREADABLE
        }
    )
    before = np.array([known.get(file, -1) for file in files])
    same = before >= 0
    if old is not None:
        rows[same] = old[before[same]]
    for row in np.flatnonzero(~same):
        stem = files[row][0]
        try:
            clip = ClipMetadata.from_file(folder / os.fsdecode(stem + SUFFIX.encode()))
        except MetadataError:
            rows[row] = (*files[row], 0, UNREADABLE, math.nan, 0)
        else:
            rows[row] = (*files[row], *_columns(clip))
    return rows


def _list(folder: Path) -> Iterator[tuple[bytes, int, int]]:
    """Yield (stem, size, modification time in ns) of the metadata files."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(SUFFIX) and not entry.name.startswith('.'):
                try:
                    status = os.stat(entry.path)
                except OSError as error:
                    raise LadaError(
                        f'metadata cannot be read ({error.strerror}): {entry.path}; if it is a'
                        ' link, restore what it points to, else delete it'
                    ) from error
                yield (
                    os.fsencode(entry.name.removesuffix(SUFFIX)),
                    status.st_size,
                    status.st_mtime_ns,
                )


def _columns(clip: ClipMetadata) -> tuple[int, int, float, int]:
    flags = (
        WATERMARK * bool(clip.watermark_detected)
        + NUDENET_NSFW * bool(clip.nudenet_nsfw_detected)
        + CENSORING * bool(clip.censoring_detected)
    )
    quality = (clip.video_quality or {}).get('overall', float('nan'))
    source = clip.source['sha256'] if clip.source else clip.name
    digest = hashlib.blake2b(source.encode('utf-8', 'surrogateescape'), digest_size=8).digest()
    return clip.frames_count, flags, quality, int.from_bytes(digest, 'little')
