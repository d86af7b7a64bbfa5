"""Finding what is wrong with the clips of a dataset."""

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from itertools import zip_longest
from pathlib import Path

from lada.data import ClipMetadata
from lada.data.packed import open_packed
from lada.dataset_tools.inventory import BadClip, DatasetReader, metadata_folders
from lada.dataset_tools.workers import Watch, worker_pool
from lada.errors import LadaError
from lada.file_part import FilePart
from lada.text import counted, one_line, printable
from lada.video import iter_frames

FILE_FOLDER_ENDINGS = ('_img', '_mask', '_mosaic', '_mosaic_mask', '_mask_mosaic')


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

    Every file must be there and decode to its end, frame counts and sizes of video, mask and
    metadata must agree, masks must not be empty, no two clips may show the same frames, and no file
    may lack its metadata. Raises LadaError if there is no dataset or if it is empty.

    Args:
        root: of the dataset.
        workers: clips decoded at the same time.
    """
    packed = open_packed(root)
    if packed is not None:
        problems, orphans = [], []
        sound = [(clip.stem, clip.metadata) for clip in map(packed.__getitem__, range(len(packed)))]
    else:
        problems, files, owned = look_at_files(root)
        sound = [
            (stem, partial(ClipMetadata.from_file, root / metadata, root))
            for stem, metadata in files
        ]
        orphans = [path for path in media_files(root) if path not in owned]
    total = len(problems) + len(sound)
    if total == 0:
        raise LadaError(f'an empty dataset: {printable(root)} holds no clips; create some first')
    first: dict[str, str] = {}
    with worker_pool(workers) as run:
        checks = run([(check_clip, read) for _, read in sound], 'checking')
        for (stem, _), check in zip(sound, checks, strict=True):
            if check.problem is not None:
                problems.append(Problem(stem, *check.problem))
            elif first.setdefault(check.digest, stem) != stem:
                problems.append(
                    Problem(stem, 'duplicate', f'the same frames as {first[check.digest]}')
                )
    problems += [
        Problem(Path(path).stem, 'orphan', f'{path} belongs to no metadata', path)
        for path in orphans
    ]
    return total, sorted(problems, key=lambda p: (p.clip, p.kind))


def check_clip(read: Callable[[], ClipMetadata], watch: Watch) -> ClipCheck:
    """Decode a clip's files and compare them with its metadata (runs in a worker).

    Args:
        read: returns the metadata.
        watch: is told of each frame.
    """
    try:
        clip = read()
    except LadaError as error:
        return ClipCheck(('metadata', one_line(error)))
    digest = hashlib.sha256()
    masked, frames, size = False, 0, None
    try:
        for frame, mask in zip_longest(
            iter_frames(clip.video_path), iter_frames(clip.mask_path, gray=True)
        ):
            watch.frames_done(1)
            if frame is None or mask is None:
                which = 'mask' if mask is None else 'video'
                return ClipCheck(
                    (
                        'frames',
                        (
                            f'its {which} ends after {counted(frames, "frame")}, before the '
                            f'{"video" if mask is None else "mask"}'
                        ),
                    )
                )
            if frame.shape[:2] != mask.shape or (size is not None and size != mask.shape):
                return ClipCheck(
                    (
                        'size',
                        (
                            f'frame {frames} is {_size(frame.shape)}, its mask {_size(mask.shape)},'
                            f' the first {_size(size or frame.shape)}'
                        ),
                    )
                )
            size = mask.shape
            masked = masked or bool((mask > 127).any())
            digest.update(frame.tobytes())
            frames += 1
        for path, what in (
            (clip.mosaic_video_path, 'mosaic video'),
            (clip.mosaic_mask_path, 'mask of the mosaic'),
        ):
            problem = _compare_mosaic(path, what, frames, size) if path is not None else None
            if problem is not None:
                return ClipCheck(problem)
    except LadaError as error:
        return ClipCheck(('undecodable', one_line(error)))
    if frames != clip.frames_count or size is None:
        return ClipCheck(
            (
                'frames',
                f'its metadata says {counted(clip.frames_count, "frame")}, its video has {frames}',
            )
        )
    if not _fits(clip, size):
        return ClipCheck(
            ('size', f'its frames are {_size(size)}, its metadata says {_size(clip.scene_shape)}')
        )
    if any(
        top + bottom >= size[0] or left + right >= size[1] for top, bottom, left, right in clip.pad
    ):
        return ClipCheck(('size', f'its padding leaves nothing of its {_size(size)} frames'))
    if not masked:
        return ClipCheck(('mask', 'its mask is empty in all frames'))
    return ClipCheck(None, digest.hexdigest())


def _compare_mosaic(
    path: Path | FilePart, what: str, frames: int, size: tuple[int, int] | None
) -> tuple[str, str] | None:
    """Decode a pre-rendered file; returns the problem with it, if any."""
    count = 0
    for frame in iter_frames(path, gray=True):
        if frame.shape != size:
            return (
                'size',
                (
                    f'frame {count} of its {what} is {_size(frame.shape)}, its video'
                    f' {_size(size or (0, 0))}'
                ),
            )
        count += 1
    return (
        None
        if count == frames
        else ('frames', f'its {what} has {counted(count, "frame")}, its video {frames}')
    )


def _fits(clip: ClipMetadata, size: tuple[int, int]) -> bool:
    """Tell whether frames have the size the metadata names. Public Lada counts the padding in, this
    toolkit does not, and a codec may round an odd side up.
    """
    height, width = clip.scene_shape
    padded = {
        (height + top + bottom, width + left + right) for top, bottom, left, right in clip.pad
    }
    return any(
        0 <= size[0] - h <= 1 and 0 <= size[1] - w <= 1 for h, w in padded | {(height, width)}
    )


def as_table(problems: list[Problem]) -> Iterator[str]:
    """Yield the lines of a table of problems."""
    rows = [
        ('clip', 'problem', 'detail'),
        *((printable(p.clip), p.kind, printable(p.detail)) for p in problems),
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(2)]
    for row in rows:
        yield f'{row[0]:{widths[0]}}  {row[1]:{widths[1]}}  {row[2]}'


def as_json(root: Path, total: int, problems: list[Problem]) -> dict:
    return {'root': str(root), 'clips': total, 'problems': [asdict(p) for p in problems]}


def look_at_files(root: Path) -> tuple[list[Problem], list[tuple[str, str]], set[str]]:
    """Return problems seen without decoding, (stem, metadata) of the other clips, and the files
    that have metadata.
    """
    problems, sound, owned = [], [], set()
    reader = DatasetReader(root)
    for folder in metadata_folders(root):
        for stem in reader.stems(folder):
            owned |= {
                f'{folder.removesuffix("_meta")}{ending}/{stem}{suffix}'
                for ending, suffix in (('_img', '.mp4'), ('_mask', '.mkv'))
            }
            try:
                owned |= {file.path for file in reader.read(folder, stem).files}
                sound.append((stem, f'{folder}/{stem}.json'))
            except BadClip as problem:
                problems.append(Problem(stem, problem.kind, str(problem)))
    return problems, sound, owned


def media_files(root: Path) -> list[str]:
    """Return the files in the folders for videos and masks, relative to the root."""
    found = []
    for folder in sorted(os.listdir(root)):
        if folder.endswith(FILE_FOLDER_ENDINGS) and (root / folder).is_dir():
            found += [
                f'{folder}/{name}'
                for name in sorted(os.listdir(root / folder))
                if (root / folder / name).is_file()
            ]
    return found


def _size(shape: tuple[int, ...]) -> str:
    return f'{shape[1]}x{shape[0]}'
