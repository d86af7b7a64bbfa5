"""Regions of videos given as boxes, from a detector, a labelling tool or by hand."""

import csv
import json
import math
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from lada.errors import LadaError
from lada.text import printable

LONGEST_GAP = 15
"""Frames that a track may skip: boxes between are interpolated. A longer gap ends it, and a new one
begins.
"""
COLUMNS = ('first', 'last', 'x', 'y', 'width', 'height')
"""Of a CSV file; ``video`` may follow."""
_JSON_LINE = '{"video": "a.mp4", "frame": 12, "box": [left, top, right, bottom], "track": 3}'
FORMATS = f'a CSV file with the columns {", ".join(COLUMNS)}, or lines of JSON {_JSON_LINE}'


@dataclass(frozen=True)
class BoxTrack:
    """One region in consecutive frames from ``start`` on: ``boxes`` (T, 4) int, top, left, bottom,
    right in pixels.
    """

    start: int
    boxes: np.ndarray

    @property
    def stop(self) -> int:
        return self.start + len(self.boxes)

    @property
    def extents(self) -> np.ndarray:
        """(N, 4): all places it is at."""
        return self.boxes

    def at(self, frame: int) -> np.ndarray | None:
        """Return top, left, bottom, right in a frame; None where it is not."""
        return self.boxes[frame - self.start] if self.start <= frame < self.stop else None

    def told(self) -> tuple:
        """Return what tells two of them apart."""
        return self.start, self.boxes.tolist()

    def within(self, shape: tuple[int, int], frames: int) -> 'BoxTrack | None':
        """Return the track without what lies outside of the frames; None where nothing is left at
        some moment.
        """
        height, width = shape
        boxes = np.clip(
            self.boxes[: max(0, frames - self.start)], 0, [height, width, height, width]
        )
        if not len(boxes) or (boxes[:, 2:] <= boxes[:, :2]).any():
            return None
        return BoxTrack(self.start, boxes)


@dataclass(frozen=True)
class StandingBox:
    """One region that stands still from frame ``first`` to ``last``, both included; None: to the
    end. ``box``: top, left, bottom, right in pixels.
    """

    first: int
    last: int | None
    box: tuple[int, int, int, int]

    @property
    def extents(self) -> np.ndarray:
        """(1, 4): the place it is at."""
        return np.array([self.box])

    def at(self, frame: int) -> np.ndarray | None:
        """Return top, left, bottom, right in a frame; None where it is not."""
        inside = self.first <= frame and (self.last is None or frame <= self.last)
        return np.array(self.box) if inside else None

    def told(self) -> tuple:
        """Return what tells two of them apart."""
        return self.first, self.last, self.box

    def within(self, shape: tuple[int, int], frames: int) -> BoxTrack | None:
        """Return it as a track without what lies outside of the frames, None for nothing."""
        count = (frames if self.last is None else min(self.last + 1, frames)) - self.first
        return BoxTrack(self.first, np.tile(self.box, (max(0, count), 1))).within(shape, frames)


class Boxes:
    """What a file says: regions by the file name of their video, '' where it names none."""

    def __init__(self, path: Path, by_video: dict[str, list[BoxTrack | StandingBox]]):
        self.path, self._by_video = path, by_video

    @property
    def videos(self) -> set[str]:
        """The names in the file."""
        return {name for name in self._by_video if name}

    def of(self, video: Path) -> list[BoxTrack | StandingBox]:
        """Return the regions of a video; those without a name are of any."""
        return [*self._by_video.get(video.name, []), *self._by_video.get('', [])]

    def check_named(self) -> None:
        """Raise LadaError unless every region names its video, needed where there are several."""
        if '' in self._by_video:
            raise LadaError(
                f'boxes without a video: {printable(self.path)}; with several videos name it, in a'
                ' column "video" or a key "video"'
            )


@lru_cache(maxsize=1)
def read_boxes(path: Path) -> Boxes:
    """Read a file of boxes in one of two forms.

    Lines of JSON, ``{"video": "a.mp4", "frame": 12, "box": [left, top, right, bottom], "track":
    3}``: a box in one frame, right and bottom excluded. ``track``, a number or a name, is 0 where
    it is left away; further keys are ignored; lines may come in any order.

    CSV with the columns :data:`COLUMNS`: a box that stands still; ``last`` is included, and empty:
    to the end. A column ``video`` may name the file; further columns are ignored.

    Frames count from 0; pixels are those of the upright frame. Raises LadaError naming the first
    bad line.
    """
    try:
        text = Path(path).read_text(encoding='utf-8-sig')
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, 'strerror', None) or 'not UTF-8 text'
        raise LadaError(
            f'the boxes cannot be read: {printable(path)} ({reason}); give {FORMATS}'
        ) from error
    by_video = _read_json(text, path) if text.lstrip()[:1] == '{' else _read_csv(text, path)
    if not by_video:
        raise LadaError(f'no boxes: {printable(path)}; write one line for each')
    return Boxes(path, by_video)


def _read_json(text: str, path: Path) -> dict[str, list[BoxTrack | StandingBox]]:
    found: dict[tuple[str, str], dict[int, list[float]]] = defaultdict(dict)
    for number, line in enumerate(text.split('\n'), 1):
        if line.strip():
            video, track, frame, box = _parse(line, f'{printable(path)}, line {number}')
            found[video, track][frame] = box
    tracks = defaultdict(list)
    for (video, _), boxes in sorted(found.items()):
        tracks[video] += _without_gaps(boxes)
    return dict(tracks)


def _parse(line: str, where: str) -> tuple[str, str, int, list[float]]:
    try:
        entry = json.loads(line)
        video, frame, box, track = (
            entry.get('video', ''),
            entry['frame'],
            entry['box'],
            entry.get('track', 0),
        )
        left, top, right, bottom = (float(value) for value in box)
        whole = isinstance(frame, int) and not isinstance(frame, bool) and 0 <= frame < 2**31
        right_kinds = isinstance(video, str) and whole and isinstance(track, int | str)
        finite = all(
            math.isfinite(value) and abs(value) < 1e6 for value in (left, top, right, bottom)
        )
        if not right_kinds or not finite or right <= left or bottom <= top:
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise LadaError(f'not a box: {where}; a line is {_JSON_LINE}') from None
    return video, f'{track}', frame, [top, left, bottom, right]


def _without_gaps(boxes: dict[int, list[float]]) -> list[BoxTrack]:
    frames = np.array(sorted(boxes))
    values = np.array([boxes[frame] for frame in frames])
    tracks = []
    for part in np.split(np.arange(len(frames)), np.flatnonzero(np.diff(frames) > LONGEST_GAP) + 1):
        every = np.arange(int(frames[part[0]]), int(frames[part[-1]]) + 1)
        between = np.stack(
            [np.interp(every, frames[part], values[part, side]) for side in range(4)], axis=1
        )
        tracks.append(BoxTrack(int(every[0]), np.rint(between).astype(int)))
    return tracks


def _read_csv(text: str, path: Path) -> dict[str, list[BoxTrack | StandingBox]]:
    found = defaultdict(list)
    try:
        reader = csv.DictReader(text.splitlines(keepends=True), skipinitialspace=True)
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or [])]
        if missing:
            raise LadaError(f'no column {", ".join(missing)}: {printable(path)}; give {FORMATS}')
        for row in reader:
            found[(row.get('video') or '').strip()].append(_standing(row, path, reader.line_num))
    except csv.Error as error:
        raise LadaError(f'not a CSV file: {printable(path)} ({error}); give {FORMATS}') from error
    return dict(found)


def _standing(row: dict, path: Path, line: int) -> StandingBox:
    where = f'{printable(path)}, line {line}'
    try:
        last = int(row['last']) if (row['last'] or '').strip() else None
        first, x, y, width, height = (
            int(row[name]) for name in ('first', 'x', 'y', 'width', 'height')
        )
    except (TypeError, ValueError) as error:
        raise LadaError(f'not six whole numbers: {where}; write {",".join(COLUMNS)}') from error
    if width < 1 or height < 1 or first < 0 or (last is not None and last < first):
        raise LadaError(
            f'an impossible box: {where}; width and height are at least 1, frames count from 0 and'
            ' last is not before first'
        )
    return StandingBox(first, last, (y, x, y + height, x + width))
