"""The clips of a dataset and the files of each, read fast: a hundred thousand clips in seconds.

Only what splitting needs is read from the metadata; :class:`lada.data.ClipMetadata` checks the rest
when a clip is used.
"""

import hashlib
import json
import math
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from lada.data.packed import INDEX_NAME, PackedClip, PackedDataset, open_packed
from lada.errors import LadaError
from lada.file_part import FilePart
from lada.files import file_sha256
from lada.folders import META_FOLDER, source_name
from lada.mosaic.block_size import BLOCK_SIZE_KEYS
from lada.text import printable

FILE_KEYS = (
    'video_path',
    'mask_path',
    'mosaic_video_path',
    'mosaic_mask_path',
    'relative_nsfw_video_path',
    'relative_mask_video_path',
    'relative_mosaic_nsfw_video_path',
    'relative_mosaic_mask_video_path',
)


class ClipFile(NamedTuple):
    """A file of a clip: path relative to the dataset's root with ``/``, bytes, and SHA-256 where it
    is known.
    """

    path: str
    size: int
    sha256: str | None = None


@dataclass(slots=True)
class Clip:
    """A clip as splitting sees it."""

    stem: str
    name: str
    """Source file name."""
    source: str | None
    """SHA-256 of the source's content, where the metadata knows it."""
    kind: tuple[int, int]
    """Half octaves of the crop's side and of the mosaic's block size: what splits are stratified
    by.
    """
    files: list[ClipFile]
    """All of them, metadata first; of a packed clip one for all, its table."""
    video: ClipFile
    """The file with its frames; of a packed clip its path means nothing."""

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


@dataclass
class Inventory:
    """The clips of a dataset, sorted by stem, and what is wrong with others, as (stem,
    sentence).
    """

    root: Path
    clips: list[Clip] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)
    packed: PackedDataset | None = None

    def video(self, clip: Clip) -> Path | FilePart:
        """Return where a clip's frames are."""
        if self.packed is None:
            return self.root / clip.video.path
        part = self.packed.clip(clip.stem).parts[1]
        assert part is not None
        return part

    def video_sha256(self, clip: Clip) -> str:
        """Return the hash of a clip's video, which is read where nobody knows it."""
        return clip.video.sha256 or file_sha256(self.root / clip.video.path)


class BadClip(Exception):
    """What is wrong with a clip.

    Args:
        sentence: what is wrong, without the name of the clip.
        kind: ``metadata``, ``missing`` or ``shared``.
    """

    def __init__(self, sentence: str, kind: str = 'metadata'):
        super().__init__(sentence)
        self.kind = kind


def metadata_folders(root: Path) -> list[str]:
    """Return the names of the dataset's metadata folders, the usual one first. Raises LadaError if
    there is none.
    """
    if not root.is_dir():
        raise LadaError(
            f'no such dataset: {printable(root)}; give the folder that holds {META_FOLDER}'
        )
    if (root / INDEX_NAME).is_file():
        raise LadaError(
            f'a packed dataset: {printable(root)}; unpack it first: pack-dataset.py'
            f' {printable(root)} --unpack --output DIR'
        )
    names = sorted(
        (
            entry.name
            for entry in os.scandir(root)
            if entry.name.endswith('_meta') and entry.is_dir()
        ),
        key=lambda name: (name != META_FOLDER, name),
    )
    if not names:
        raise LadaError(
            f'no dataset: {printable(root)} holds no folder {META_FOLDER}; give the root of a'
            ' dataset'
        )
    return names


def take_inventory(root: Path, seen: Callable[[int], object] = lambda clips: None) -> Inventory:
    """Read the metadata of all clips and look up their files.

    Args:
        root: of the dataset.
        seen: is told how many more clips were read.
    """
    packed = open_packed(root)
    if packed is not None:
        return _packed_inventory(packed, seen)
    inventory = Inventory(root)
    reader = DatasetReader(root)
    clips: dict[str, Clip] = {}
    for folder in metadata_folders(root):
        for stem in reader.stems(folder):
            try:
                clip = reader.read(folder, stem)
            except BadClip as problem:
                inventory.problems.append((stem, str(problem)))
                continue
            finally:
                seen(1)
            if stem in clips:  # the same clip in another form, for example scaled
                clips[stem].files += clip.files
            else:
                clips[stem] = clip
    bad = {stem for stem, _ in inventory.problems}
    inventory.clips = [clips[stem] for stem in sorted(clips) if stem not in bad]
    return inventory


def _packed_inventory(packed: PackedDataset, seen: Callable[[int], object]) -> Inventory:
    inventory = Inventory(Path(packed.folder), packed=packed)
    for number in range(len(packed)):
        clip = packed[number]
        try:
            inventory.clips.append(_packed_clip(clip))
        except (BadClip, LadaError) as problem:
            inventory.problems.append((clip.stem, str(problem)))
        seen(1)
    return inventory


def _packed_clip(clip: PackedClip) -> Clip:
    data = _parse(clip.content())
    metadata, video = clip.parts[:2]
    assert metadata is not None and video is not None
    size = sum(part.size for part in clip.parts if part is not None)
    return Clip(
        clip.stem,
        *_origin(data, clip.stem),
        _kind(data),
        [ClipFile(INDEX_NAME, size, metadata.sha256.hex())],
        ClipFile('', video.size, video.sha256.hex()),
    )


def _parse(content: bytes) -> dict:
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        raise BadClip('its metadata is no valid JSON, perhaps cut short') from None
    if not isinstance(data, dict):
        raise BadClip('its metadata holds no JSON object')
    return data


def _origin(data: dict, stem: str) -> tuple[str, str | None]:
    """Return the name of a clip's source, and its hash where the metadata knows it."""
    name = data.get('name')
    if not isinstance(name, str) or not name:
        name = source_name(stem)
    source = data.get('source')
    sha256 = source.get('sha256') if isinstance(source, dict) else None
    return sys.intern(name), sys.intern(sha256) if isinstance(sha256, str) else None


class DatasetReader:
    """Reads the clips of one dataset, remembering its folders and which clip each file
    belongs to.
    """

    def __init__(self, root: Path):
        self._root = str(root)
        self._real_root = os.path.realpath(root)
        self._listings: dict[str, dict[str, int]] = {}
        self._folders: dict[tuple[str, str], str] = {}
        self._owners: dict[str, str] = {}

    def stems(self, folder: str) -> list[str]:
        """Return the sorted stems of the metadata files in a folder."""
        return sorted(
            name.removesuffix('.json')
            for name in self.listing(folder)
            if name.endswith('.json') and not name.startswith('.')
        )

    def listing(self, folder: str) -> dict[str, int]:
        """Return the files of a folder below the root and their sizes."""
        if folder not in self._listings:
            try:
                with os.scandir(os.path.join(self._root, folder)) as entries:
                    self._listings[folder] = {
                        e.name: e.stat().st_size for e in entries if e.is_file()
                    }
            except FileNotFoundError:
                self._listings[folder] = {}
        return self._listings[folder]

    def read(self, folder: str, stem: str) -> Clip:
        """Read a clip. Raises BadClip."""
        metadata = f'{folder}/{stem}.json'
        try:
            with open(os.path.join(self._root, metadata), 'rb', buffering=0) as file:
                content = file.read()
        except OSError as error:
            raise BadClip(f'its metadata cannot be read: {error.strerror}') from None
        data = _parse(content)
        files = [ClipFile(metadata, len(content), hashlib.sha256(content).hexdigest())]
        for path in self._file_paths(data, folder, stem):
            parent, _, name = path.rpartition('/')
            if name not in self.listing(parent):
                raise BadClip(f'{path} is missing', 'missing')
            if self._owners.setdefault(path, metadata) != metadata:
                raise BadClip(f'{path} belongs to {self._owners[path]} as well', 'shared')
            files.append(ClipFile(path, self._listings[parent][name]))
        return Clip(stem, *_origin(data, stem), _kind(data), files, files[1])

    def _file_paths(self, data: dict, folder: str, stem: str) -> list[str]:
        if 'version' not in data:
            base = folder.removesuffix('meta')
            mosaic = [(f'{base}mosaic', f'{stem}.mp4'), (f'{base}mask_mosaic', f'{stem}.mkv')]
            return [
                f'{base}img/{stem}.mp4',
                f'{base}mask/{stem}.mkv',
                *(f'{parent}/{name}' for parent, name in mosaic if name in self.listing(parent)),
            ]
        paths = [self._inside(folder, data[key]) for key in FILE_KEYS if data.get(key) is not None]
        if len(paths) < 2:
            raise BadClip('its metadata names no video and mask')
        return list(dict.fromkeys(paths))

    def _inside(self, folder: str, text: object) -> str:
        """Return a path of the metadata relative to the root. Raises BadClip where it leaves the
        dataset.
        """
        if not isinstance(text, str) or not text or '\0' in text:
            raise BadClip('its metadata holds a path that is none')
        text = text.replace('\\', '/')
        parent, name = os.path.split(text)
        if (folder, parent) not in self._folders:
            target = os.path.normpath(os.path.join(folder, parent))
            real = os.path.realpath(os.path.join(self._root, target))
            leaves = (
                target.startswith(('..', '/'))
                or os.path.commonpath([real, self._real_root]) != self._real_root
            )
            self._folders[folder, parent] = '' if leaves else target
        target = self._folders[folder, parent]
        if not target or target == '.' or name in ('', '.', '..'):
            raise BadClip(f'its metadata names a file outside the dataset: {printable(text)}')
        return f'{target}/{name}'


def _kind(data: dict) -> tuple[int, int]:
    """Return the half octaves of the crop's longer side and of the block size; 0 for what is not
    known.
    """
    shape = data.get('scene_shape')
    sides = shape if isinstance(shape, list) else [data.get('height'), data.get('width')]
    blocks = data.get('base_mosaic_block_size')
    blocks = blocks if isinstance(blocks, dict) else {}
    sizes = [blocks.get(key) for key in BLOCK_SIZE_KEYS]
    return _half_octave(max(_numbers(sides), default=0)), _half_octave(
        next(iter(_numbers(sizes)), 0)
    )


def _numbers(values: list) -> list[float]:
    return [
        v
        for v in values
        if isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v)
    ]


def _half_octave(value: float) -> int:
    return round(2 * math.log2(value)) if value > 0 else 0
