"""Finding clips of a validation set that training has seen: by source, by content, by what frames look like."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from lada.dataset_tools.inventory import Clip, Inventory, take_inventory
from lada.dataset_tools.layout import counted, printable
from lada.dataset_tools.perceptual import frame_hash, near_matches, similarity
from lada.dataset_tools.sources import file_sha256
from lada.dataset_tools.workers import Watch, worker_pool
from lada.errors import LadaError
from lada.video import iter_frames, read_frames

QUERY_FRAMES = 8
"""Frames of a validation clip that are looked for among all frames of the training clips."""
LEAST_SIMILARITY = 0.95
TABLE_ROWS = 200
SHEET_ROWS, SHEET_SIDE, SHEET_LABEL = 40, 192, 20


@dataclass(frozen=True)
class Leak:
    """A training clip and a validation clip that have something in common.

    ``reason`` is ``source`` (the same file, by name or hash), ``content`` (the same video) or ``frames`` (frames that
    look the same: ``train_frame`` and ``val_frame`` are the closest pair).
    """

    reason: str
    train: str
    val: str
    detail: str
    train_frame: int = 0
    val_frame: int = 0


def find_leaks(train_root: Path, val_root: Path, workers: int = 1) -> tuple[list[Leak], dict[str, int]]:
    """Return the pairs of clips that share something, one reason a pair, and the numbers of clips on both sides.

    Raises LadaError if a side is missing, empty, or holds clips that cannot be read.
    """
    if train_root.resolve() == val_root.resolve():
        raise LadaError(f'training and validation are the same folder: {printable(train_root)}; give two roots')
    train, val = _inventory(train_root), _inventory(val_root)
    leaks = {(leak.train, leak.val): leak for leak in _shared_sources(train, val)}
    for leak in _shared_content(train, val):
        leaks.setdefault((leak.train, leak.val), leak)
    with worker_pool(workers) as run:
        for leak in _shared_looks(train, val, run):
            leaks.setdefault((leak.train, leak.val), leak)
    found = sorted(leaks.values(), key=lambda leak: (leak.reason, leak.val, leak.train))
    return found, {'train': len(train.clips), 'val': len(val.clips)}


def _inventory(root: Path) -> Inventory:
    inventory = take_inventory(root)
    if inventory.problems:
        stem, problem = inventory.problems[0]
        raise LadaError(f'{counted(len(inventory.problems), "clip")} of {printable(root)} cannot be read: '
                        f'{printable(stem)}: {problem}; run check-dataset.py {printable(root)} first')
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


def _video(clip: Clip) -> str:
    return clip.files[1].path


def _shared_content(train: Inventory, val: Inventory) -> Iterator[Leak]:
    """Compare the videos' files; only those of equal size are read."""
    sizes = {clip.files[1].size for clip in val.clips} & {clip.files[1].size for clip in train.clips}
    hashes = defaultdict(list)
    for clip in train.clips:
        if clip.files[1].size in sizes:
            hashes[file_sha256(train.root / _video(clip))].append(clip.stem)
    for clip in val.clips:
        if clip.files[1].size in sizes:
            for stem in hashes.get(file_sha256(val.root / _video(clip)), ()):
                yield Leak('content', stem, clip.stem, 'the same video file')


def hash_frames(path: Path, count: int | None, watch: Watch) -> tuple[np.ndarray, np.ndarray]:
    """Return hashes of a clip's frames and their numbers: all, or ``count`` spread evenly (runs in a worker)."""
    hashes: dict[int, int] = {}
    for number, frame in enumerate(iter_frames(path)):
        value = frame_hash(frame)
        if value is not None:
            hashes.setdefault(value, number)
        watch.frames_done(1)
    values, numbers = np.array(list(hashes), np.uint64), np.array(list(hashes.values()), np.int64)
    if count is not None and len(values) > count:
        pick = np.linspace(0, len(values) - 1, count).round().astype(int)
        values, numbers = values[pick], numbers[pick]
    return values, numbers


def _shared_looks(train: Inventory, val: Inventory, run: Callable) -> Iterator[Leak]:
    base, queries = (_all_hashes(side, count, run) for side, count in ((train, None), (val, QUERY_FRAMES)))
    query, other, distance = near_matches(queries[0], base[0])
    best: dict[tuple[int, int], tuple[int, int, int]] = {}
    for q, b, bits in zip(query, other, distance, strict=True):
        pair = int(base[1][b]), int(queries[1][q])
        best[pair] = min(best.get(pair, (99, 0, 0)), (int(bits), int(base[2][b]), int(queries[2][q])))
    for (t, v), (bits, train_frame, val_frame) in sorted(best.items()):
        a, b = train.clips[t], val.clips[v]
        pictures = [read_frames(root / _video(clip), number, number + 1)[0]
                    for root, clip, number in ((train.root, a, train_frame), (val.root, b, val_frame))]
        if similarity(*pictures) >= LEAST_SIMILARITY:
            detail = f'frames {train_frame} and {val_frame} differ in {counted(bits, "bit")} of 63'
            yield Leak('frames', a.stem, b.stem, detail, train_frame, val_frame)


def _all_hashes(side: Inventory, count: int | None, run: Callable) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return hashes of a dataset's frames, and for each the number of its clip and of its frame."""
    hashes, clips, frames = [np.empty(0, np.uint64)], [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    jobs = [(hash_frames, side.root / _video(clip), count) for clip in side.clips]
    for number, (values, numbers) in enumerate(run(jobs, f'looking at {side.root.name}')):
        hashes.append(values)
        clips.append(np.full(len(values), number))
        frames.append(numbers)
    return np.concatenate(hashes), np.concatenate(clips), np.concatenate(frames)


def as_table(leaks: list[Leak]) -> Iterator[str]:
    """Yield the lines of a table of leaks."""
    rows = [('reason', 'training clip', 'validation clip', 'detail')]
    rows += [(leak.reason, printable(leak.train), printable(leak.val), printable(leak.detail))
             for leak in leaks[:TABLE_ROWS]]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    for row in rows:
        yield '  '.join([*(f'{text:{width}}' for text, width in zip(row[:3], widths, strict=True)), row[3]])
    if len(leaks) > TABLE_ROWS:
        yield f'and {counted(len(leaks) - TABLE_ROWS, "more pair")}; --json lists them all'


def as_json(leaks: list[Leak], counts: dict[str, int]) -> dict:
    return {'clips': counts, 'leaks': [asdict(leak) for leak in leaks]}


def contact_sheet(leaks: list[Leak], train_root: Path, val_root: Path) -> bytes:
    """Return a PNG with one row per pair, at most SHEET_ROWS: the training frame left, the validation frame right."""
    sides = [{clip.stem: clip for clip in take_inventory(root).clips} for root in (train_root, val_root)]
    rows = []
    for leak in leaks[:SHEET_ROWS]:
        row = []
        for root, clips, stem, number in ((train_root, sides[0], leak.train, leak.train_frame),
                                          (val_root, sides[1], leak.val, leak.val_frame)):
            frame = read_frames(root / _video(clips[stem]), number, number + 1)[0]
            tile = np.full((SHEET_SIDE + SHEET_LABEL, SHEET_SIDE, 3), 255, np.uint8)
            tile[SHEET_LABEL:] = cv2.resize(frame, (SHEET_SIDE, SHEET_SIDE), interpolation=cv2.INTER_AREA)
            label = f'{leak.reason}: {stem}'.encode('ascii', 'replace').decode()[-28:]
            cv2.putText(tile, label, (2, SHEET_LABEL - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (0, 0, 0), 1, cv2.LINE_AA)
            row.append(tile)
        rows.append(np.hstack(row))
    _, png = cv2.imencode('.png', cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))
    return png.tobytes()
