"""Finding clips of a validation set that training has seen: by source, by content, by what frames
look like.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import accumulate, chain
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from lada.dataset_tools.create.duplicates import Fingerprint
from lada.dataset_tools.create.sources import SourceIndex
from lada.dataset_tools.frame_hashes import (
    MAX_DISTANCE,
    VIEWS,
    near_matches,
    similarity,
    view_hashes,
)
from lada.dataset_tools.inventory import Clip, Inventory, take_inventory
from lada.dataset_tools.workers import Watch, worker_pool
from lada.errors import LadaError
from lada.evaluation.pictures import encode_picture
from lada.file_part import FilePart
from lada.lettering import write_text
from lada.text import counted, printable
from lada.video import iter_frames, read_frames

TRAIN_VIEWS, VAL_VIEWS = (0, 1), (0, 1, 2, 3)
QUERY_FRAMES = 8
"""Frames of a validation clip that are looked for among all frames of the training clips."""
LEAST_SIMILARITY = 0.9
TABLE_ROWS = 200
SHEET_ROWS, SHEET_SIDE, SHEET_LABEL = 40, 240, 36
LABEL_LETTERS, LABEL_SIZE = 36, 11


@dataclass(frozen=True)
class Leak:
    """A training clip and a validation clip that have something in common.

    ``reason`` is ``source`` (the same file, by name or hash), ``content`` (the same video),
    ``film`` (cut from frames that look the same), or ``frames`` (frames that look the same
    themselves: ``train_frame`` and ``val_frame`` are the closest pair).
    """

    reason: str
    train: str
    val: str
    detail: str
    train_frame: int = 0
    val_frame: int = 0


def find_leaks(
    train_root: Path, val_root: Path, workers: int = 1
) -> tuple[list[Leak], dict[str, int]]:
    """Return the pairs of clips that share something, one reason a pair, and the numbers of clips
    on both sides.

    Raises LadaError if a side is missing, empty, or holds clips that cannot be read.

    Args:
        train_root, val_root: of the two datasets.
        workers: clips decoded at the same time.
    """
    if train_root.resolve() == val_root.resolve():
        raise LadaError(
            f'training and validation are the same folder: {printable(train_root)}; give two roots'
        )
    train, val = _inventory(train_root), _inventory(val_root)
    leaks = {(leak.train, leak.val): leak for leak in _shared_sources(train, val)}
    for leak in chain(_shared_content(train, val), _shared_films(train, val)):
        leaks.setdefault((leak.train, leak.val), leak)
    with worker_pool(workers) as run:
        for leak in _shared_frames(train, val, run):
            leaks.setdefault((leak.train, leak.val), leak)
    found = sorted(leaks.values(), key=lambda leak: (leak.reason, leak.val, leak.train))
    return found, {'train': len(train.clips), 'val': len(val.clips)}


def _inventory(root: Path) -> Inventory:
    inventory = take_inventory(root)
    if inventory.problems:
        stem, problem = inventory.problems[0]
        raise LadaError(
            f'{counted(len(inventory.problems), "clip")} of {printable(root)} cannot be read: '
            f'{printable(stem)}: {problem}; run check-dataset.py {printable(root)} first'
        )
    if not inventory.clips:
        raise LadaError(f'an empty dataset: {printable(root)} holds no clips')
    return inventory


def _shared_sources(train: Inventory, val: Inventory) -> Iterator[Leak]:
    by_key: dict[tuple[str, str], list[str]] = defaultdict(list)
    for clip in train.clips:
        for key in _source_keys(clip):
            by_key[key].append(clip.stem)
    for clip in val.clips:
        for key in _source_keys(clip):
            for stem in by_key.get(key, ()):
                yield Leak('source', stem, clip.stem, f'both from {clip.name}')


def _source_keys(clip: Clip) -> Iterator[tuple[str, str]]:
    yield 'name', clip.name
    if clip.source is not None:
        yield 'sha256', clip.source


def _shared_content(train: Inventory, val: Inventory) -> Iterator[Leak]:
    """Compare the videos' files; only those of equal size are read."""
    sizes = {clip.video.size for clip in val.clips} & {clip.video.size for clip in train.clips}
    hashes = defaultdict(list)
    for clip in train.clips:
        if clip.video.size in sizes:
            hashes[train.video_sha256(clip)].append(clip.stem)
    for clip in val.clips:
        if clip.video.size in sizes:
            for stem in hashes.get(val.video_sha256(clip), ()):
                yield Leak('content', stem, clip.stem, 'the same video file')


def _shared_films(train: Inventory, val: Inventory) -> Iterator[Leak]:
    """Compare what creation noted of the whole frames that clips were cut from: two encodings of a
    film are found by it, whose crops show other places.
    """
    known = _fingerprints(train.root) | _fingerprints(val.root)  # a split leaves the index behind
    sides = []
    for side in (train, val):
        found = [(clip.stem, known.get((clip.source, clip.stem))) for clip in side.clips]
        sides.append([(stem, look) for stem, look in found if look is not None])
    ours, theirs = sides
    queries, base = (np.array([look.first for _, look in side], np.uint64) for side in sides)
    for one, other, bits in zip(*near_matches(queries, base), strict=True):
        (stem, look), (other_stem, other_look) = ours[one], theirs[other]
        more = (look.middle ^ other_look.middle).bit_count()
        if more <= MAX_DISTANCE:
            detail = (
                f'the whole frames they are cut from differ in {counted(int(bits), "bit")} of 63 at'
                f' their start, in {more} in the middle'
            )
            yield Leak('film', stem, other_stem, detail)


def _fingerprints(root: Path) -> dict[tuple[str | None, str], Fingerprint]:
    """Return what creation noted, by the source's hash and the clip's stem."""
    return {
        (sha256, look.stem): look
        for sha256, entry in SourceIndex.open(root).finished.items()
        for look in (Fingerprint(*each) for each in entry.get('looks', ()))
    }


class _Hashes(NamedTuple):
    """Hashes of a dataset's frames, and for each the number of its clip, of its frame, and of its
    view.
    """

    values: np.ndarray
    clips: np.ndarray
    frames: np.ndarray
    views: np.ndarray


def hash_frames(
    path: Path | FilePart, views: tuple[int, ...], count: int | None, watch: Watch
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return hashes of a clip's frames, their frames and views.

    Of frames that look the same the first counts. Runs in a worker.

    Args:
        path: video file.
        views: numbers of entries in ``VIEWS``.
        count: how many frames, spread evenly; None for all.
        watch: is told of each frame.
    """
    different: dict[int, tuple[int, list[int]]] = {}
    for number, frame in enumerate(iter_frames(path)):
        hashes = view_hashes(frame, views)
        if hashes:
            different.setdefault(hashes[0], (number, hashes))
        watch.frames_done(1)
    kept = list(different.values())
    if count is not None and len(kept) > count:
        kept = [kept[i] for i in np.linspace(0, len(kept) - 1, count).round().astype(int)]
    return (
        np.array([value for _, hashes in kept for value in hashes], np.uint64),
        np.repeat(np.array([number for number, _ in kept], np.int64), len(views)),
        np.tile(np.array(views, np.int8), len(kept)),
    )


def _shared_frames(train: Inventory, val: Inventory, run: Callable) -> Iterator[Leak]:
    base, queries = (
        _all_hashes(train, TRAIN_VIEWS, None, run),
        _all_hashes(val, VAL_VIEWS, QUERY_FRAMES, run),
    )
    query, other, distance = near_matches(queries.values, base.values)
    best: dict[tuple[int, int], tuple[int, int, int]] = {}
    for q, b, bits in zip(query.tolist(), other.tolist(), distance.tolist(), strict=True):
        pair = int(base.clips[b]), int(queries.clips[q])
        best[pair] = min(best.get(pair, (99, 0, 0)), (bits, b, q))
    for (t, v), (bits, b, q) in sorted(best.items()):
        clips, frames = (
            (train.clips[t], val.clips[v]),
            (int(base.frames[b]), int(queries.frames[q])),
        )
        views = int(base.views[b]), int(queries.views[q])
        first, second = (
            read_frames(side.video(clip), frame, frame + 1)[0]
            for side, clip, frame in zip((train, val), clips, frames, strict=True)
        )
        if similarity(first, second, *views) >= LEAST_SIMILARITY:
            mirrored, cropped = VIEWS[views[0] ^ views[1]]
            detail = (
                f'frames {frames[0]} and {frames[1]} differ in {counted(bits, "bit")} of 63'
                + (', one mirrored' if mirrored else '')
                + (', one cropped' if cropped else '')
            )
            yield Leak('frames', clips[0].stem, clips[1].stem, detail, *frames)


def _all_hashes(
    side: Inventory, views: tuple[int, ...], count: int | None, run: Callable
) -> _Hashes:
    clips, columns = (
        [np.empty(0, np.int64)],
        [(np.empty(0, np.uint64), np.empty(0, np.int64), np.empty(0, np.int8))],
    )
    jobs = [(hash_frames, side.video(clip), views, count) for clip in side.clips]
    for number, found in enumerate(run(jobs, f'looking at {side.root.name}')):
        columns.append(found)
        clips.append(np.full(len(found[0]), number))
    values, frames, seen = (np.concatenate(column) for column in zip(*columns, strict=True))
    return _Hashes(values, np.concatenate(clips), frames, seen)


def as_table(leaks: list[Leak]) -> Iterator[str]:
    """Yield the lines of a table of leaks."""
    rows = [('reason', 'training clip', 'validation clip', 'detail')]
    rows += [
        (leak.reason, printable(leak.train), printable(leak.val), printable(leak.detail))
        for leak in leaks[:TABLE_ROWS]
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    for row in rows:
        yield '  '.join(
            [*(f'{text:{width}}' for text, width in zip(row[:3], widths, strict=True)), row[3]]
        )
    if len(leaks) > TABLE_ROWS:
        yield f'and {counted(len(leaks) - TABLE_ROWS, "more pair")}; --json lists them all'


def as_json(leaks: list[Leak], counts: dict[str, int]) -> dict:
    return {'clips': counts, 'leaks': [asdict(leak) for leak in leaks]}


def contact_sheet(leaks: list[Leak], train_root: Path, val_root: Path) -> bytes:
    """Return a PNG with one row per pair, at most SHEET_ROWS: the training frame left, the
    validation frame right.

    Args:
        leaks: pairs to show.
        train_root, val_root: of the two datasets.
    """
    sides = [take_inventory(root) for root in (train_root, val_root)]
    clips = [{clip.stem: clip for clip in side.clips} for side in sides]
    rows = []
    for leak in leaks[:SHEET_ROWS]:
        row = np.full((SHEET_SIDE + SHEET_LABEL, 2 * SHEET_SIDE, 3), 255, np.uint8)
        for column, (side, stem, number) in enumerate(
            (
                ('training', leak.train, leak.train_frame),
                ('validation', leak.val, leak.val_frame),
            )
        ):
            video = sides[column].video(clips[column][stem])
            frame = read_frames(video, number, number + 1)[0]
            scale = SHEET_SIDE / max(frame.shape[:2])
            height, width = (max(1, round(length * scale)) for length in frame.shape[:2])
            left = column * SHEET_SIDE
            row[SHEET_LABEL : SHEET_LABEL + height, left : left + width] = cv2.resize(
                frame, (width, height), interpolation=cv2.INTER_AREA
            )
            label = f'{side}: {_shortened(stem, LABEL_LETTERS - len(side))}'
            write_text(row, label, left + 2, 13, LABEL_SIZE, SHEET_SIDE - 4)
        label = _shortened(f'{leak.reason}: {leak.detail}', 2 * LABEL_LETTERS)
        write_text(row, label, 2, 29, LABEL_SIZE)
        rows.append(row)
    return encode_picture(np.vstack(rows), '.png')


def _shortened(text: str, letters: int) -> str:
    """Return a text without its middle where it takes more room than so many Latin letters."""
    if sum(map(_room, text)) <= letters:
        return text
    ends = []
    for characters, room in ((text, letters // 2 - 2), (text[::-1], letters - letters // 2 - 1)):
        sums = accumulate(map(_room, characters))
        ends.append(characters[: sum(1 for total in sums if total <= room)])
    return f'{ends[0]}...{ends[1][::-1]}'


def _room(character: str) -> int:
    return 2 if unicodedata.east_asian_width(character) in 'WF' else 1
