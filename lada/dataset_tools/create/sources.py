"""The source videos of a dataset: finding them, naming them, remembering which are finished."""

import json
import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from lada.errors import LadaError
from lada.files import fitting_name
from lada.text import printable
from lada.video import probe

VIDEO_SUFFIXES = frozenset(
    {
        '.3g2',
        '.3gp',
        '.asf',
        '.avi',
        '.dv',
        '.f4v',
        '.flv',
        '.m2ts',
        '.m2v',
        '.m4v',
        '.mkv',
        '.mov',
        '.mp4',
        '.mpeg',
        '.mpg',
        '.mts',
        '.mxf',
        '.ogm',
        '.ogv',
        '.rm',
        '.rmvb',
        '.ts',
        '.vob',
        '.webm',
        '.wmv',
        '.y4m',
    }
)
INDEX_NAME = 'creation-index.jsonl'


class Shard(NamedTuple):
    """Part ``index`` of ``count`` of the sources, for one of several machines."""

    index: int = 0
    count: int = 1

    def name(self, stem: str, suffix: str = '') -> str:
        """Return a file name of this shard's own; plain where there is one shard only."""
        return (
            f'{stem}{suffix}' if self.count == 1 else f'{stem}-{self.index}-of-{self.count}{suffix}'
        )


WHOLE = Shard()


@dataclass(frozen=True)
class Source:
    """A source video: its path, the name its clips carry, and the SHA-256 of its content."""

    path: Path
    name: str
    sha256: str


def find_videos(inputs: Iterable[Path]) -> list[Path]:
    """Return the files among ``inputs`` and the video files below the folders among them, sorted,
    each once.

    Raises LadaError for a path that does not exist or a call that finds nothing.
    """
    found: dict[Path, None] = {}
    inputs = [Path(p) for p in inputs]
    for path in inputs:
        if path.is_dir():
            found.update(dict.fromkeys(files_below(path, VIDEO_SUFFIXES)))
        elif path.is_file():
            found[path] = None
        else:
            raise LadaError(
                f'no such file or folder: {printable(path)}; give a video file or a folder of'
                ' videos'
            )
    if not found:
        listed = ', '.join(printable(p) for p in inputs)
        raise LadaError(
            f'no video files found: {listed}; known are the suffixes'
            f' {" ".join(sorted(VIDEO_SUFFIXES))}'
        )
    return sorted(found)


def files_below(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """Return the files with one of the suffixes below a folder, sorted; nothing hidden."""
    return sorted(
        path
        for path in folder.rglob('*')
        if path.suffix.lower() in suffixes
        and path.is_file()
        and not any(part.startswith('.') for part in path.relative_to(folder).parts)
    )


def size_of(path: Path) -> int:
    """Return a file's bytes for an estimate of the work; 0 where it is gone, which reading it will
    report.
    """
    try:
        return path.stat().st_size
    except OSError:
        return 0


def length_of(path: Path) -> int:
    """Return about how many frames a video has, as its container says; 0 where it does not, or
    where it cannot be read, which cutting it will report.
    """
    try:
        video = probe(path)
    except (LadaError, OSError):
        return 0
    return video.frames or round((video.duration or 0) * video.fps)


LONGEST_NAME = 200
"""Bytes of a source's name in the names of its clips, which leave room for numbers, suffixes, and
what evaluations add.
"""


def name_sources(
    hashed: Iterable[tuple[Path, str]], known: dict[str, str], shared_names: Iterable[str] = ()
) -> tuple[list[Source], list[tuple[Path, Path]]]:
    """Give every source the name its clips carry: the file's name.

    A further file of the same name but other content gets a piece of its hash into the name, and so
    does one whose name is longer than :data:`LONGEST_NAME`, which is cut.
    Returns the sources, and pairs (path, path of the same content).

    Args:
        hashed: paths and their SHA-256.
        known: names of sources of earlier runs, by their hashes.
        shared_names: names that several shards may meet; their files get a piece of their hash into
            the name, too.
    """
    taken = {name: sha256 for sha256, name in known.items()}
    shared_names = set(shared_names)
    sources: dict[str, Source] = {}
    duplicates = []
    for path, sha256 in hashed:
        if sha256 in sources:
            duplicates.append((path, sources[sha256].path))
            continue
        # A backslash would be read as a folder in the metadata's paths.
        name = known.get(sha256, path.name.replace('\\', '_'))
        if (
            taken.setdefault(name, sha256) != sha256
            or (name in shared_names and sha256 not in known)
            or len(os.fsencode(name)) > LONGEST_NAME
        ):
            ending = f'~{sha256[:8]}{path.suffix}'
            name = fitting_name(path.stem.replace('\\', '_'), ending, LONGEST_NAME)
            taken[name] = sha256
        sources[sha256] = Source(path, name, sha256)
    return list(sources.values()), duplicates


@dataclass
class SourceIndex:
    """The sources a dataset was made from, one JSON line each, appended when a source is finished.

    Each shard appends to a file of its own; those of all are read.
    """

    path: Path
    finished: dict[str, dict] = field(default_factory=dict)
    _stamps: dict[tuple[str, int, int], str] = field(default_factory=dict)

    @classmethod
    def open(cls, root: Path, shard: Shard = WHOLE) -> 'SourceIndex':
        """Read the index of a dataset; lines cut short by a kill are passed over."""
        stem, suffix = os.path.splitext(INDEX_NAME)
        index = cls(root / shard.name(stem, suffix))
        for path in sorted(root.glob(f'{stem}*{suffix}')):
            for line in path.read_bytes().splitlines():
                try:
                    entry = json.loads(line)
                    index._remember(entry)
                except (ValueError, KeyError, TypeError):
                    continue
        return index

    def names(self) -> dict[str, str]:
        """Return the name of each finished source by its SHA-256."""
        return {sha256: entry['name'] for sha256, entry in self.finished.items()}

    def sha256_of(self, path: Path) -> str | None:
        """Return the hash of a finished source that is unchanged since, without reading it."""
        return self._stamps.get(_stamp(path))

    def add(self, source: Source, **facts: object) -> None:
        """Append a finished source durably."""
        path, size, mtime = _stamp(source.path)
        entry = dict(
            name=source.name, sha256=source.sha256, path=path, size=size, mtime_ns=mtime, **facts
        )
        # The leading newline ends a line that a kill may have cut short.
        with open(self.path, 'ab') as file:
            torn = file.tell() > 0 and not self._ends_with_newline()
            file.write(b'\n' * torn + json.dumps(entry, sort_keys=True).encode() + b'\n')
            file.flush()
            os.fsync(file.fileno())
        self._remember(entry)

    def _ends_with_newline(self) -> bool:
        with open(self.path, 'rb') as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b'\n'

    def _remember(self, entry: dict) -> None:
        stamp = entry['path'], int(entry['size']), int(entry['mtime_ns'])
        self.finished[entry['sha256']] = {'name': entry['name'], **entry}
        self._stamps[stamp] = entry['sha256']


def _stamp(path: Path) -> tuple[str, int, int]:
    status = path.stat()
    return str(path.resolve()), status.st_size, status.st_mtime_ns
