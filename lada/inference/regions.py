"""Where the mosaic is, frame by frame: a mask video, a list of boxes, or an ellipse for a
self-test. :mod:`lada.inference.find_video` finds it.
"""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import cv2
import numpy as np

from lada.errors import LadaError
from lada.video import VideoInfo, count_frames, iter_frames, probe
from lada.video.boxes import Boxes, BoxTrack, StandingBox


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


def masks_from_boxes(boxes: Boxes, video: VideoInfo) -> Iterator[np.ndarray]:
    """Return masks (H, W) bool, one for every frame number, without end.

    Raises :class:`LadaError` at once where no box is of this video, or one lies outside the
    picture.
    """
    regions = boxes.of(video.path)
    if not regions:
        raise LadaError(
            f'no boxes of {video.path.name}: {boxes.path} names others; name the file, or no video'
        )
    for top, left, bottom, right in np.concatenate([region.extents for region in regions]):
        if top >= video.height or left >= video.width or bottom <= 0 or right <= 0:
            raise LadaError(
                f'the box {right - left}x{bottom - top} at {left},{top} lies outside the picture of'
                f' {video.width}x{video.height}: {video.path}; give pixels of the upright picture'
            )
    return _masks_from_boxes(regions, video)


def _masks_from_boxes(
    regions: list[BoxTrack | StandingBox], video: VideoInfo
) -> Iterator[np.ndarray]:
    for number in count():
        mask = np.zeros((video.height, video.width), bool)
        for region in regions:
            place = region.at(number)
            if place is not None:
                top, left, bottom, right = np.maximum(place, 0)
                mask[top:bottom, left:right] = True
        yield mask


def masks_of_ellipse(video: VideoInfo) -> Iterator[np.ndarray]:
    """Yield the same ellipse in the middle of the picture, a third of its sides, without end."""
    mask = np.zeros((video.height, video.width), np.uint8)
    centre, axes = (video.width // 2, video.height // 2), (video.width // 6, video.height // 6)
    cv2.ellipse(mask, centre, axes, 0, 0, 360, 1, -1)
    while True:
        yield mask.astype(bool)
