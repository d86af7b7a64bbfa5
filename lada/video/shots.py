"""Finding the shots of a video: stretches of frames without a hard cut."""

from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np
from scenedetect import ContentDetector, FrameTimecode

ANALYSIS_SIDE = 256
"""Longer side, in pixels, at which frames are compared: cuts are visible at any size."""


class Shot(NamedTuple):
    """Frames ``start`` (included) to ``stop`` (excluded) of a video."""

    start: int
    stop: int


def thumbnail(frame: np.ndarray) -> np.ndarray:
    """Return a frame shrunk to ``ANALYSIS_SIDE``, or as it is where it is not larger."""
    height, width = frame.shape[:2]
    scale = ANALYSIS_SIDE / max(height, width)
    if scale >= 1:
        return frame
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(frame, size, interpolation=cv2.INTER_AREA)


class ShotFinder:
    """Takes the frames of a video one by one and remembers where shots begin.

    A cut is a mean change of hue, saturation and value above ``threshold`` between two frames
    (PySceneDetect's ContentDetector). Every such frame starts a new shot, however short the one
    before: a clip must never span a cut, and what is too short is dropped later.

    Args:
        threshold: mean change of hue, saturation and value, 0 to 255, from which on it is a cut.
    """

    def __init__(self, threshold: float = 27.0):
        self._detector = ContentDetector(threshold=threshold, min_scene_len=0)
        self._starts = [0]
        self.frames = 0

    def add(self, frame: np.ndarray) -> None:
        """Take the next frame, (H, W, 3) uint8 RGB."""
        frame = thumbnail(frame)
        # The frame rate is irrelevant here, the detector only asks for a position.
        position = FrameTimecode(self.frames, 25.0)
        if (
            self._detector.process_frame(position, cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
            and self.frames > 0
        ):
            self._starts.append(self.frames)
        self.frames += 1

    def shots(self) -> list[Shot]:
        """Return the shots of the frames taken so far."""
        if self.frames == 0:
            return []
        return [Shot(a, b) for a, b in pairwise([*self._starts, self.frames])]


def find_shots(frames: Iterable[np.ndarray], threshold: float = 27.0) -> list[Shot]:
    """Return the shots of a video given its frames.

    Args:
        frames: (H, W, 3) uint8 RGB each.
        threshold: see :class:`ShotFinder`.
    """
    finder = ShotFinder(threshold)
    for frame in frames:
        finder.add(frame)
    return finder.shots()


def cut_into_pieces(shot: Shot, min_frames: int, max_frames: int) -> list[Shot]:
    """Divide a shot into as few nearly equal pieces as ``max_frames`` allows.

    Where equal pieces would be shorter than ``min_frames``, fewer pieces of ``max_frames`` are cut
    and the rest of the shot is left over. A shot shorter than ``min_frames`` gives none.

    Args:
        shot: what to divide.
        min_frames, max_frames: limits of the length of a piece.
    """
    length = shot.stop - shot.start
    if length < min_frames:
        return []
    count = -(-length // max_frames)
    if length // count < min_frames:
        count -= 1
        length = count * max_frames
    edges = [shot.start + length * i // count for i in range(count + 1)]
    return [Shot(a, b) for a, b in pairwise(edges)]
