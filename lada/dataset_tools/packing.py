"""Writing the clips of datasets into a few tar files, and back.

Members are ``000000.json``, ``000000.mp4``, ``000000.mkv``, …: what belongs together has one name
up to the first dot, as readers of such files expect (the webdataset package, among others). The
table beside them (:mod:`lada.data.packed`) holds the clips' own names.
"""

import hashlib
import json
import os
import shutil
import stat
import tarfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from lada.data import ClipCatalog, ClipMetadata
from lada.data.catalog import MAX_BAD_FRACTION
from lada.data.index import row_type as plain_row_type
from lada.data.packed import (
    INDEX_NAME,
    PATH_FIELDS,
    ROLES,
    TarFile,
    find_packed,
    open_packed,
    read_header,
    row_type,
    write_index,
)
from lada.dataset_tools.create.sources import INDEX_NAME as CREATION_INDEX
from lada.dataset_tools.explaining import explained
from lada.dataset_tools.inventory import metadata_folders
from lada.dataset_tools.locking import only_run
from lada.errors import LadaError
from lada.file_part import FilePart
from lada.files import (
    FREE_SPACE_MARGIN,
    file_sha256,
    nearest_existing,
    temporary_name,
    whole_file,
    write_atomically,
)
from lada.progress import Progress
from lada.text import counted, human_bytes, printable, some

WORK_FOLDER = '.packing'
"""Below the output while packing: the table's rows of finished tar files, and the one being
written."""
HEADER_BYTES = 512
"""Of a member of a tar file (POSIX.1-1988, ustar), before its content; content is padded to it."""
_GO_ON = 'run the same command again to go on'

Say = Callable[[str], None]


@dataclass(frozen=True)
class _Clip:
    """A clip that is to be packed: its row in a folder's index, and its files by role."""

    row: np.void
    files: tuple[Path | FilePart | None, ...]
    stamps: tuple[tuple[int, str], ...]
    """Of each file that the clip has its size, and what changes with its content."""

    @property
    def stem(self) -> str:
        return os.fsdecode(bytes(self.row['stem']))

    @property
    def sizes(self) -> list[int]:
        return [size for size, _ in self.stamps]


def pack_dataset(roots: list[Path], output: Path, tar_bytes: int, say: Say = print) -> int:
    """Write all clips of datasets into tar files in ``output``; the datasets stay as they are.

    Each tar file is read again and compared with the hashes of what went into it before it gets its
    name; the table comes last. A run that was stopped continues with the tar file that it was at.
    Returns how many clips there are. Raises :class:`LadaError`.

    Args:
        roots: of the datasets, of single files or packed.
        output: folder for the packed one.
        tar_bytes: size from which on another tar file is begun.
        say: called with a line for what is left out.
    """
    output = Path(os.path.abspath(output))
    for root in roots:
        if output == Path(os.path.abspath(root)):
            raise LadaError(f'the output is a dataset itself: {printable(output)}; choose another')
    with ExitStack() as held:
        for root in roots:
            _check_folder(root)
            held.enter_context(only_run(root, shared=True))
        folder, clips = _gather(roots, say)
        plan = _digest(clips, tar_bytes)
        if (output / INDEX_NAME).exists():
            if read_header(output).get('plan') == plan:
                say(f'packed already: {printable(output)}; nothing to do')
                return len(clips)
            raise LadaError(
                f'there is another packed dataset: {printable(output)}; choose another --output'
            )
        _begin(output, plan, sum(size for clip in clips for size in clip.sizes))
        held.enter_context(only_run(output))
        with explained('packing', _GO_ON):
            rows, tars = _write_tars(output, clips, tar_bytes)
            for root in roots:
                _add_sources(root, output)
            write_index(output, rows, tars, folder, plan=plan)
            shutil.rmtree(output / WORK_FOLDER)
    return len(clips)


def unpack_dataset(root: Path, output: Path) -> int:
    """Write the clips of a packed dataset as single files, as they were; returns how many.

    A clip's metadata comes last, and clips that have theirs are passed over: a run that was stopped
    is continued. A file that is there already must be the same. Raises :class:`LadaError`.

    Args:
        root: of the packed dataset.
        output: folder for the other one.
    """
    packed = open_packed(root)
    if packed is None:
        raise LadaError(
            f'no packed dataset: {printable(root)} holds no {INDEX_NAME}; give the folder that'
            ' pack-dataset.py wrote'
        )
    output = Path(os.path.abspath(output))
    _check_space(output, int(packed.rows['bytes'].sum()))
    output.mkdir(parents=True, exist_ok=True)
    with (
        only_run(output),
        explained('unpacking', _GO_ON),
        Progress('unpacking', 'clip', len(packed)) as bar,
    ):
        for number in range(len(packed)):
            clip = packed[number]
            place = output / packed.metadata_folder / clip.place.name
            if not place.exists():
                paths = clip.unpacked_metadata()
                for part, name in zip(clip.parts[1:], PATH_FIELDS, strict=True):
                    if part is not None:
                        _restore(part, output / getattr(paths, name).relative_to(clip.root))
                _restore(clip.parts[0], place)
            bar.update()
        _add_sources(Path(packed.folder), output)
        os.sync()
    return len(packed)


def _check_folder(root: Path) -> None:
    if not root.is_dir():
        raise LadaError(f'no such dataset: {printable(root)}; give the root of a dataset')


def _gather(roots: list[Path], say: Say) -> tuple[str, list[_Clip]]:
    """Return the name of the metadata folder and all clips, sorted by stem."""
    folders: dict[str, Path] = {}
    clips: dict[bytes, tuple[Path, _Clip]] = {}
    left_out = []
    for root in roots:
        packed = find_packed(root)
        folder, others = _metadata_folder(root, packed)
        if others:
            say(f'left out: {some(others)} of {printable(root)}; the clips of {folder} are packed')
        folders[folder] = root
        catalog = ClipCatalog.open(packed or root / folder, refresh=True)
        with Progress(f'reading {printable(root.name)}', 'clip', len(catalog)) as bar:
            for number in range(len(catalog)):
                bar.update()
                row = catalog.rows[number]
                stem = bytes(row['stem'])
                try:
                    files = _files(catalog, number, root)
                    stamps = tuple(_stamp(file) for file in files if file is not None)
                    clip = _Clip(row, files, stamps)
                except LadaError as error:
                    say(f'left out: {printable(catalog.stem(number))}: {error}')
                    left_out.append(stem)
                    continue
                if stem in clips:
                    raise LadaError(
                        f'two clips of one name: {printable(clip.stem)} is in'
                        f' {printable(clips[stem][0])} and in {printable(root)}; pack one of them'
                    )
                clips[stem] = root, clip
    if len(folders) > 1:
        names = ' and '.join(f'{folder} ({printable(root)})' for folder, root in folders.items())
        raise LadaError(
            f'metadata folders of different names: {names}; pack these datasets one by one'
        )
    if len(left_out) > MAX_BAD_FRACTION * (len(clips) + len(left_out)):
        raise LadaError(
            f'{counted(len(left_out), "clip")} of {len(clips) + len(left_out):,} cannot be packed;'
            ' check-dataset.py says what is wrong with them, --fix quarantine moves them aside'
        )
    return next(iter(folders)), [clips[stem][1] for stem in sorted(clips)]


def _metadata_folder(root: Path, packed: Path | None) -> tuple[str, list[str]]:
    """Return the name of the metadata folder, and of others that are not packed."""
    if packed is not None:
        return read_header(packed)['metadata_folder'], []
    first, *others = metadata_folders(root)
    return first, others


def _files(catalog: ClipCatalog, number: int, root: Path) -> tuple[Path | FilePart | None, ...]:
    """Return a clip's files by role."""
    if catalog.packed is not None:
        return catalog.packed[number].parts
    path = Path(catalog.folder) / f'{catalog.stem(number)}.json'
    clip = ClipMetadata.from_file(path, root)
    return path, *(getattr(clip, name) for name in PATH_FIELDS)


def _stamp(file: Path | FilePart) -> tuple[int, str]:
    """Return a file's size, and what changes with its content. Raises :class:`LadaError` where it
    is missing.
    """
    if isinstance(file, FilePart):
        return file.size, file.sha256.hex()
    try:
        status = file.stat()
    except (FileNotFoundError, NotADirectoryError):
        status = None
    if status is None or not stat.S_ISREG(status.st_mode):
        raise LadaError(f'{printable(file)} is missing')
    return status.st_size, f'{file}\0{status.st_mtime_ns}'


def _digest(clips: list[_Clip], tar_bytes: int) -> str:
    """Return what tells whether a run that was stopped was about the same clips."""
    digest = hashlib.sha256(f'{tar_bytes}'.encode())
    for clip in clips:
        digest.update(os.fsencode(f'{clip.stem}\0{clip.stamps}'))
    return digest.hexdigest()


def _begin(output: Path, plan: str, size: int) -> None:
    """Make the output's folder, or find the one of a run that was stopped."""
    work = output / WORK_FOLDER
    place = work / 'plan.json'
    if place.exists():
        if json.loads(place.read_bytes()).get('plan') == plan:
            return
        raise LadaError(
            f'another packing was stopped: {printable(output)}, or its clips have changed since;'
            ' delete that folder, or choose another --output'
        )
    if output.is_dir() and any(entry.name != WORK_FOLDER for entry in os.scandir(output)):
        raise LadaError(f'the output is not empty: {printable(output)}; choose another --output')
    _check_space(output, size)
    work.mkdir(parents=True, exist_ok=True)
    write_atomically(place, json.dumps({'plan': plan}).encode())


def _check_space(output: Path, size: int) -> None:
    free = shutil.disk_usage(nearest_existing(output)).free
    if size * FREE_SPACE_MARGIN > free:
        raise LadaError(
            f'not enough space: {printable(output)} needs {human_bytes(size)},'
            f' {human_bytes(free)} are free; free some, or choose another --output'
        )


def _write_tars(
    output: Path, clips: list[_Clip], tar_bytes: int
) -> tuple[np.ndarray, list[TarFile]]:
    """Write the tar files that are not there yet; returns the table's rows, and all tar files."""
    stem_bytes = max(clip.row['stem'].itemsize for clip in clips)
    digits = max(6, len(str(len(clips))))
    rows, tars = [], []
    with Progress('packing', 'clip', len(clips)) as bar:
        for number, (first, last) in enumerate(_groups(clips, tar_bytes)):
            name = f'{number:05d}.tar'
            place = output / name
            table = output / WORK_FOLDER / f'{name}.npy'
            if place.exists() and table.exists():
                part = np.load(table, allow_pickle=False)
            else:
                part = np.zeros(last - first, row_type(stem_bytes))
                with whole_file(place, output / WORK_FOLDER / name) as file:
                    for offset, clip in enumerate(clips[first:last]):
                        part[offset] = _add(file, clip, first + offset, number, digits, stem_bytes)
                        bar.update()
                    file.write(bytes(2 * HEADER_BYTES))  # the end of a tar file
                    file.flush()
                    _compare(output / WORK_FOLDER / name, part)
                    with whole_file(table) as saved:
                        np.save(saved, part)
            bar.reach(last)
            rows.append(part)
            tars.append(TarFile(place, place.stat().st_size))
    return np.concatenate(rows), tars


def _groups(clips: list[_Clip], tar_bytes: int) -> Iterator[tuple[int, int]]:
    """Yield (first clip, the one behind the last) of each tar file."""
    first = size = 0
    for number, clip in enumerate(clips):
        if size >= tar_bytes:
            yield first, number
            first, size = number, 0
        size += sum(HEADER_BYTES + _padded(each) for each in clip.sizes)
    yield first, len(clips)


def _padded(size: int) -> int:
    return -(-size // HEADER_BYTES) * HEADER_BYTES


def _add(
    file: IO[bytes], clip: _Clip, key: int, tar: int, digits: int, stem_bytes: int
) -> np.ndarray:
    """Append a clip's files to a tar file; returns the clip's row."""
    row = np.zeros((), row_type(stem_bytes))
    for name in plain_row_type(stem_bytes).names or ():
        row[name] = clip.row[name]
    row['key'], row['tar'] = key, tar
    endings: set[str] = set()
    for role, source in enumerate(clip.files):
        if source is None:
            continue
        content = source.read() if isinstance(source, FilePart) else source.read_bytes()
        if not content:
            raise LadaError(f'an empty file: {printable(source)}; run check-dataset.py first')
        ending = _ending(role, source, clip, endings)
        header = tarfile.TarInfo(f'{key:0{digits}d}{ending}')
        header.size = len(content)
        header.mode = 0o644
        file.write(header.tobuf(tarfile.USTAR_FORMAT))
        row['start'][role] = file.tell()
        row['bytes'][role] = len(content)
        row['sha256'][role] = np.void(hashlib.sha256(content).digest())
        file.write(content)
        file.write(bytes(_padded(len(content)) - len(content)))
    return row


def _ending(role: int, source: Path | FilePart, clip: _Clip, taken: set[str]) -> str:
    """Return what follows the first dot of a member's name: a suffix that no other file of the clip
    has.
    """
    mark, suffix = (
        ('', '.json'),
        ('', '.mp4'),
        ('', '.mkv'),
        ('.mosaic', '.mp4'),
        ('.mosaic', '.mkv'),
    )[role]
    if isinstance(source, Path) and source.suffix:
        suffix = source.suffix.lower()
    ending = mark + suffix
    if ending in taken:
        ending = f'.{ROLES[role].split()[0]}{ending}'
    taken.add(ending)
    return ending


def _compare(place: Path, rows: np.ndarray) -> None:
    """Raise :class:`LadaError` unless a tar file holds what its rows say."""
    with open(place, 'rb') as file:
        for row in rows:
            for start, size, digest in zip(row['start'], row['bytes'], row['sha256'], strict=True):
                file.seek(int(start))
                if size and hashlib.sha256(file.read(int(size))).digest() != digest.tobytes():
                    raise LadaError(
                        f'the disk does not give back what was written: {printable(place)}; check'
                        ' the disk, then run the same command again'
                    )


def _restore(part: FilePart | None, place: Path) -> None:
    """Write a part as a file of its own, unless it is there."""
    assert part is not None
    if place.exists():
        if file_sha256(place) != part.sha256.hex():
            raise LadaError(f'another file is there: {printable(place)}; choose another --output')
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_name(place)
    try:
        temporary.write_bytes(part.read())
        temporary.replace(place)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _add_sources(root: Path, output: Path) -> None:
    """Take along what creation noted of the source videos, which finds leaks and duplicates."""
    target = output / CREATION_INDEX
    stem, suffix = os.path.splitext(CREATION_INDEX)
    files = [target] * target.exists() + sorted(root.glob(f'{stem}*{suffix}'))
    lines = {line: None for path in files for line in path.read_bytes().splitlines() if line}
    if lines:
        write_atomically(target, b'\n'.join([*lines, b'']))
