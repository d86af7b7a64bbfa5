"""Regions given as boxes, from a detector or a labelling tool."""

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


@lru_cache(maxsize=1)
def load_tracks(path: Path) -> dict[str, list[BoxTrack]]:
    """Read boxes, one JSON object a line, into the tracks of each video, by its file name.

    ``{"video": "a.mp4", "frame": 12, "box": [left, top, right, bottom], "track": 3}``: frames count
    from 0, pixels of the upright frame, right and bottom excluded; ``track`` (a number or a name)
    is 0 where it is left away; further keys are ignored. Lines may come in any order. Raises
    LadaError naming the first bad line.
    """
    found: dict[tuple[str, str], dict[int, list[float]]] = defaultdict(dict)
    try:
        with open(path, encoding='utf-8') as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    video, track, frame, box = _parse(line, f'{printable(path)}, line {number}')
                    found[video, track][frame] = box
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, 'strerror', None) or 'not UTF-8 text'
        raise LadaError(
            f'boxes cannot be read: {printable(path)} ({reason}); check --boxes'
        ) from error
    if not found:
        raise LadaError(f'no boxes: {printable(path)} is empty; check --boxes')
    tracks = defaultdict(list)
    for (video, _), boxes in sorted(found.items()):
        tracks[video] += _without_gaps(boxes)
    return dict(tracks)


def _parse(line: str, where: str) -> tuple[str, str, int, list[float]]:
    try:
        entry = json.loads(line)
        video, frame, box, track = (
            entry['video'],
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
        raise LadaError(
            f'not a box: {where}; a line is {{"video": "a.mp4", "frame": 12, "box": [left, top,'
            ' right, bottom], "track": 3}'
        ) from None
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
