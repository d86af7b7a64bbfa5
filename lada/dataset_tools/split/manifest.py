"""The record of a split: which clip is on which side, and how that came about. JSON, one line per
clip.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from lada import __version__
from lada.dataset_tools.inventory import ClipFile
from lada.errors import LadaError
from lada.files import naming, whole_file
from lada.text import printable

MANIFEST_NAME = 'split-manifest.jsonl'
FORMAT = 1
Mode = Literal['copy', 'hardlink', 'symlink', 'move']
Side = Literal['train', 'val']


@dataclass(frozen=True)
class SplitArguments:
    """What decides a split, besides the data."""

    val_size: int | None = None
    val_ratio: float | None = None
    seed: int = 42
    group_by: Literal['source', 'clip'] = 'source'
    stratify: bool = True
    mode: Mode = 'copy'
    remove: bool = False
    """Whether validation clips leave the training set."""
    extend: bool = False
    hash: Literal['all', 'moved'] = 'all'
    """Whether files that stay in the training set are hashed as well."""


@dataclass(slots=True)
class Entry:
    """A clip and the side it has."""

    stem: str
    group: str
    name: str
    source: str | None
    side: Side
    run: int
    """Number of the run, from 0, that gave the clip its side."""
    files: list[ClipFile]


@dataclass
class Manifest:
    """All clips that have a side, sorted by stem; the same in both roots but for the side that the
    root is.

    ``runs`` holds, per run, the arguments, the version of the tool, and the folders it made
    (relative to the validation root). Roots are remembered relative to each other, so that both may
    be moved together.
    """

    val_root: str
    """Relative to the training root."""
    runs: list[dict[str, Any]] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    side: Side = 'train'
    """Which of the two roots this copy was read from."""

    def add_run(self, arguments: SplitArguments, made_folders: list[str]) -> None:
        """Record a further run."""
        self.runs.append(
            {
                'arguments': asdict(arguments),
                'tool': f'lada {__version__}',
                'made_folders': made_folders,
            }
        )

    @property
    def last_run(self) -> int:
        return len(self.runs) - 1

    @property
    def last_arguments(self) -> SplitArguments:
        return SplitArguments(**self.runs[-1]['arguments'])

    def moved(self) -> list[Entry]:
        """Return the validation clips of the last run."""
        return self._of_last_run('val')

    def stayed(self) -> list[Entry]:
        """Return the training clips of the last run."""
        return self._of_last_run('train')

    def _of_last_run(self, side: Side) -> list[Entry]:
        return [e for e in self.entries if e.run == self.last_run and e.side == side]

    def without_last_run(self) -> 'Manifest | None':
        """Return the manifest as it was before the last run, None if there was none."""
        if len(self.runs) <= 1:
            return None
        kept = [e for e in self.entries if e.run < self.last_run]
        return Manifest(self.val_root, self.runs[:-1], kept)

    def write(self, path: Path, temporary: Path, side: Side = 'train') -> None:
        """Write one of the two copies, whole or not at all.

        Args:
            path: of the copy.
            temporary: name to use until it is complete, on the same file system.
            side: which root the copy is for.
        """
        header = {
            'lada_split': FORMAT,
            'side': side,
            'val_root': self.val_root,
            'train_clips': 0,
            'val_clips': 0,
            'runs': self.runs,
        }
        for entry in self.entries:
            header[f'{entry.side}_clips'] += 1
        encode = json.JSONEncoder(separators=(',', ':')).encode
        with naming(path), whole_file(path, temporary) as file:
            file.write(f'{encode(header)}\n'.encode('ascii'))
            for e in sorted(self.entries, key=lambda entry: entry.stem):
                line = encode([e.stem, e.group, e.name, e.source, e.side, e.run, e.files])
                file.write(f'{line}\n'.encode('ascii'))

    @classmethod
    def read(cls, path: Path) -> 'Manifest':
        """Read a manifest. Raises LadaError if it is damaged."""
        try:
            with open(path, encoding='ascii') as file:
                header = json.loads(file.readline())
                if header['lada_split'] != FORMAT:
                    raise ValueError(f'format {header["lada_split"]}')
                manifest = cls(header['val_root'], header['runs'], side=header.get('side', 'train'))
                for line in file:
                    stem, group, name, source, side, run, files = json.loads(line)
                    files = [ClipFile(*file) for file in files]
                    manifest.entries.append(Entry(stem, group, name, source, side, run, files))
            if len(manifest.entries) != header['train_clips'] + header['val_clips']:
                raise ValueError('clips are missing')
            SplitArguments(**manifest.runs[-1]['arguments'])
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise LadaError(
                f'a damaged record of a split: {printable(path)} ({error}); restore it from the'
                " other root's copy (its first line names the side), or remove both to split"
                ' afresh'
            ) from None
        return manifest
