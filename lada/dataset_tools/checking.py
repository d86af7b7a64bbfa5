"""Finding what is wrong with the clips of a dataset, and moving bad ones aside."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path

from lada.data import ClipMetadata
from lada.dataset_tools.inventory import BadClip, DatasetReader, metadata_folders
from lada.dataset_tools.layout import counted, printable
from lada.dataset_tools.locking import only_run
from lada.dataset_tools.workers import Watch, worker_pool
from lada.errors import LadaError
from lada.video import iter_frames

QUARANTINE_FOLDER = 'quarantine'
FILE_FOLDER_ENDINGS = ('_img', '_mask', '_mosaic', '_mosaic_mask')


@dataclass(frozen=True)
class Problem:
    """Something wrong with a clip. ``kind`` is one word for programs, ``detail`` a sentence."""

    clip: str
    kind: str
    detail: str
    orphan: str | None = None
    """The file, relative to the root, that belongs to no clip."""


@dataclass(frozen=True)
class ClipCheck:
    """What decoding a clip found: a problem, or the hash of its decoded frames."""

    problem: tuple[str, str] | None
    digest: str | None = None


def check_dataset(root: Path, workers: int = 1) -> tuple[int, list[Problem]]:
    """Check all clips of a dataset; returns how many there are, and the problems, sorted by clip.

    Every file must be there and decode to its end, frame counts and sizes of video, mask and metadata must agree,
    masks must not be empty, no two clips may show the same frames, and no file may lack its metadata. Raises LadaError
    if there is no dataset or if it is empty.
    """
    problems, sound, owned = _look(root)
    total = len(problems) + len(sound)
    if total == 0:
        raise LadaError(f'an empty dataset: {printable(root)} holds no clips; create some first')
    first: dict[str, str] = {}
    with worker_pool(workers) as run:
        checks = run([(check_clip, root / metadata, root) for _, metadata in sound], 'checking')
        for (stem, _), check in zip(sound, checks, strict=True):
            if check.problem is not None:
                problems.append(Problem(stem, *check.problem))
            elif first.setdefault(check.digest, stem) != stem:
                problems.append(Problem(stem, 'duplicate', f'the same frames as {first[check.digest]}'))
    problems += [Problem(Path(path).stem, 'orphan', f'{path} belongs to no metadata', path)
                 for path in _files(root) if path not in owned]
    return total, sorted(problems, key=lambda p: (p.clip, p.kind))


def check_clip(metadata: Path, root: Path, watch: Watch) -> ClipCheck:
    """Decode a clip's files and compare them with its metadata (runs in a worker)."""
    try:
        clip = ClipMetadata.from_file(metadata, root)
    except LadaError as error:
        return ClipCheck(('metadata', _sentence(error)))
    digest = hashlib.sha256()
    masked, frames, size = False, 0, None
    try:
        for frame, mask in zip_longest(iter_frames(clip.video_path), iter_frames(clip.mask_path, gray=True)):
            watch.frames_done(1)
            if frame is None or mask is None:
                which = 'mask' if mask is None else 'video'
                return ClipCheck(('frames', f'its {which} ends after {counted(frames, "frame")}, before the '
                                            f'{"video" if mask is None else "mask"}'))
            if frame.shape[:2] != mask.shape or (size is not None and size != mask.shape):
                return ClipCheck(('size', f'frame {frames} is {_size(frame.shape)}, its mask {_size(mask.shape)}, the '
                                          f'first {_size(size or frame.shape)}'))
            size = mask.shape
            masked = masked or bool((mask > 127).any())
            digest.update(frame.tobytes())
            frames += 1
        if clip.mosaic_video_path is not None:
            mosaics = sum(1 for _ in iter_frames(clip.mosaic_video_path))
            if mosaics != frames:
                return ClipCheck(('frames', f'its mosaic video has {counted(mosaics, "frame")}, its video {frames}'))
    except LadaError as error:
        return ClipCheck(('undecodable', _sentence(error)))
    if frames != clip.frames_count or size is None:
        return ClipCheck(('frames', f'its metadata says {counted(clip.frames_count, "frame")}, its video has {frames}'))
    if any(top + bottom >= size[0] or left + right >= size[1] for top, bottom, left, right in clip.pad):
        return ClipCheck(('size', f'its padding leaves nothing of its {_size(size)} frames'))
    if not masked:
        return ClipCheck(('mask', 'its mask is empty in all frames'))
    return ClipCheck(None, digest.hexdigest())


def quarantine(root: Path, problems: list[Problem]) -> int:
    """Move the files of bad clips below ``root/quarantine``, at the same relative paths; returns how many were moved.

    Files that a sound clip uses stay. Nothing is overwritten: a name that is taken gets a number.
    """
    moved = 0
    with only_run(root):
        bad = {problem.clip for problem in problems if problem.orphan is None}
        orphans = {problem.orphan for problem in problems}
        _, sound, _ = _look(root)
        reader = DatasetReader(root)
        needed = set()
        for stem, metadata in sound:
            if stem not in bad:
                needed |= {file.path for file in reader.read(os.path.dirname(metadata), stem).files}
        listed = [f'{folder}/{stem}.json' for folder in metadata_folders(root) for stem in sorted(bad)]
        listed += [path for path in _files(root) if path in orphans or Path(path).stem in bad]
        for path in listed:
            if path not in needed and os.path.lexists(root / path):
                target = _free_name(root / QUARANTINE_FOLDER / path)
                target.parent.mkdir(parents=True, exist_ok=True)
                (root / path).rename(target)
                moved += 1
    return moved


def as_table(problems: list[Problem]) -> Iterator[str]:
    """Yield the lines of a table of problems."""
    rows = [('clip', 'problem', 'detail'), *((printable(p.clip), p.kind, printable(p.detail)) for p in problems)]
    widths = [max(len(row[i]) for row in rows) for i in range(2)]
    for row in rows:
        yield f'{row[0]:{widths[0]}}  {row[1]:{widths[1]}}  {row[2]}'


def as_json(root: Path, total: int, problems: list[Problem]) -> dict:
    return {'root': str(root), 'clips': total, 'problems': [asdict(p) for p in problems]}


def _look(root: Path) -> tuple[list[Problem], list[tuple[str, str]], set[str]]:
    """Return problems seen without decoding, (stem, metadata) of the other clips, and the files that have metadata."""
    problems, sound, owned = [], [], set()
    reader = DatasetReader(root)
    for folder in metadata_folders(root):
        for stem in reader.stems(folder):
            owned |= {f'{folder.removesuffix("_meta")}{ending}/{stem}{suffix}'
                      for ending, suffix in (('_img', '.mp4'), ('_mask', '.mkv'))}
            try:
                owned |= {file.path for file in reader.read(folder, stem).files}
                sound.append((stem, f'{folder}/{stem}.json'))
            except BadClip as problem:
                problems.append(Problem(stem, problem.kind, str(problem)))
    return problems, sound, owned


def _files(root: Path) -> list[str]:
    """Return the files in the folders for videos and masks, relative to the root."""
    found = []
    for folder in sorted(os.listdir(root)):
        if folder.endswith(FILE_FOLDER_ENDINGS) and (root / folder).is_dir():
            found += [f'{folder}/{name}' for name in sorted(os.listdir(root / folder))
                      if (root / folder / name).is_file()]
    return found


def _free_name(path: Path) -> Path:
    number, free = 1, path
    while os.path.lexists(free):
        free = path.with_name(f'{path.stem}.{number}{path.suffix}')
        number += 1
    return free


def _size(shape: tuple[int, ...]) -> str:
    return f'{shape[1]}x{shape[0]}'


def _sentence(error: Exception) -> str:
    return ' '.join(str(error).split())
