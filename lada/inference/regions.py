"""Where the mosaic is, frame by frame: a mask video, a list of boxes, or an ellipse for a
self-test. :mod:`lada.inference.find_video` finds it.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from lada.errors import LadaError
from lada.video import VideoInfo, count_frames, iter_frames, probe

BOX_COLUMNS = ('first', 'last', 'x', 'y', 'width', 'height')


class Box(NamedTuple):
    """A rectangle in pixels of the upright picture, during frames ``first`` to ``last`` (both
    included).
    """

    first: int
    last: int
    x: int
    y: int
    width: int
    height: int


def masks_from_video(path: str | Path, video: VideoInfo) -> Iterator[np.ndarray]:
    """Yield the frames of a mask video as bool (H, W): brighter than middle gray is mosaic.

    Raises :class:`LadaError` at once where size or number of frames differ from the video's.
    """
    mask = probe(path)
    if (mask.width, mask.height) != (video.width, video.height):
        raise LadaError(
            f'the mask is {mask.width}x{mask.height} and the video {video.width}x{video.height}:'
            f' {path}; make a mask of the same size'
        )
    have, need = count_frames(path), count_frames(video.path)
    if have != need:
        raise LadaError(
            f'the mask has {have} frames and the video {need}: {path}; make one mask frame for each'
        )
    return (frame > 127 for frame in iter_frames(path, gray=True))


def masks_from_boxes(boxes: list[Box], video: VideoInfo) -> Iterator[np.ndarray]:
    """Return masks (H, W) bool, one for every frame number, without end.

    Raises :class:`LadaError` at once for a box that lies outside the picture.
    """
    for box in boxes:
        if (
            box.x >= video.width
            or box.y >= video.height
            or box.x + box.width <= 0
            or box.y + box.height <= 0
        ):
            raise LadaError(
                f'the box {box.width}x{box.height} at {box.x},{box.y} lies outside the picture of '
                f'{video.width}x{video.height}: {video.path}; give pixels of the upright picture'
            )
    return _masks_from_boxes(boxes, video)


def _masks_from_boxes(boxes: list[Box], video: VideoInfo) -> Iterator[np.ndarray]:
    number = 0
    while True:
        mask = np.zeros((video.height, video.width), bool)
        for box in boxes:
            if box.first <= number <= box.last:
                mask[
                    max(box.y, 0) : max(box.y + box.height, 0),
                    max(box.x, 0) : max(box.x + box.width, 0),
                ] = True
        yield mask
        number += 1


def masks_of_ellipse(video: VideoInfo) -> Iterator[np.ndarray]:
    """Yield the same ellipse in the middle of the picture, a third of its sides, without end."""
    mask = np.zeros((video.height, video.width), np.uint8)
    centre, axes = (video.width // 2, video.height // 2), (video.width // 6, video.height // 6)
    cv2.ellipse(mask, centre, axes, 0, 0, 360, 1, -1)
    while True:
        yield mask.astype(bool)


def read_boxes(path: str | Path) -> list[Box]:
    """Read a CSV file with the columns of :class:`Box`, ``last`` empty: to the end. Errors name the
    line.
    """
    try:
        with open(path, newline='', encoding='utf-8-sig') as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            missing = [name for name in BOX_COLUMNS if name not in (reader.fieldnames or [])]
            if missing:
                raise LadaError(
                    f'no column {", ".join(missing)}: {path}; the first line must be '
                    f'{",".join(BOX_COLUMNS)}'
                )
            boxes = [_box(row, path, reader.line_num) for row in reader]
    except OSError as error:
        raise LadaError(
            f'the boxes cannot be read ({error.strerror}): {path}; give a CSV file'
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise LadaError(
            f'not a CSV file: {path} ({error}); write {",".join(BOX_COLUMNS)}'
        ) from error
    if not boxes:
        raise LadaError(f'no boxes: {path}; write one line for each')
    return boxes


def _box(row: dict, path: str | Path, line: int) -> Box:
    try:
        if not (row['last'] or '').strip():
            row['last'] = 2**62
        box = Box(*(int(row[name]) for name in BOX_COLUMNS))
    except (TypeError, ValueError) as error:
        raise LadaError(
            f'not six whole numbers: {path}, line {line}; write {",".join(BOX_COLUMNS)}'
        ) from error
    if box.width < 1 or box.height < 1 or box.last < box.first or box.first < 0:
        raise LadaError(
            f'an impossible box: {path}, line {line}; width and height are at least 1, frames count'
            ' from 0 and last is not before first'
        )
    return box
