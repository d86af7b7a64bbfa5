"""What is measured on the frames of a source to tell useful clips from others."""

from dataclasses import dataclass, field

import cv2
import numpy as np

from lada.dataset_tools.frame_hashes import view_hashes
from lada.mosaic.find_in_frame import Frame, find_in_frame, same_blocks

EVERY = 8
"""Sharpness and hash are measured on every n-th frame, and mosaics looked for."""
BLUR_WIDTH = 9
SHARPNESS_SIDE = 640
"""Longer side, in pixels, of the picture whose sharpness is measured."""


@dataclass
class FrameStatistics:
    """Light and change of every frame; blur, hash and mosaics of every ``EVERY``-th one."""

    light: list[float] = field(default_factory=list)
    """Mean luma, 0 to 255."""
    change: list[float] = field(default_factory=list)
    """Mean absolute difference of luma from the frame before, in grey levels, on the thumbnail; 0
    for the first.
    """
    blur: list[float] = field(default_factory=list)
    hashes: list[int | None] = field(default_factory=list)
    """None for a frame too flat to be told from others."""
    blocks: list[list[tuple[float, float]]] = field(default_factory=list)
    """Height and width of a block, in pixels, of each mosaic that a frame shows."""
    _before: np.ndarray | None = None

    def add(self, frame: np.ndarray, thumbnail: np.ndarray) -> None:
        """Take the next frame.

        Args:
            frame: (H, W, 3) uint8 RGB.
            thumbnail: the same, smaller.
        """
        gray = cv2.cvtColor(thumbnail, cv2.COLOR_RGB2GRAY)
        if len(self.light) % EVERY == 0:
            self.blur.append(blurriness(frame))
            self.hashes.append(next(iter(view_hashes(thumbnail)), None))
            luma = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
            self.blocks.append([mosaic.periods for mosaic in find_in_frame(Frame(luma))])
        self.light.append(float(gray.mean()))
        self.change.append(
            0.0 if self._before is None else float(cv2.absdiff(gray, self._before).mean())
        )
        self._before = gray

    def light_of(self, start: int, stop: int) -> float:
        """Return the mean luma of frames ``start`` to ``stop``."""
        return float(np.mean(self.light[start:stop]))

    def frozen_of(self, start: int, stop: int, least_change: float) -> float:
        """Return which share of the frames after ``start`` hardly differs from the frame before."""
        changes = self.change[start + 1 : stop]
        return float(np.mean(np.array(changes) < least_change)) if changes else 0.0

    def blur_of(self, start: int, stop: int) -> float:
        """Return the median blur of the frames measured in the range, 0 where it is too short to
        hold one.
        """
        measured = self.blur[-(-start // EVERY) : -(-stop // EVERY)]
        return float(np.median(measured)) if measured else 0.0

    def shows_mosaic(self, start: int, stop: int) -> bool:
        """Tell whether frames ``start`` to ``stop`` show a mosaic: two measured ones of them, or
        the only one, with blocks of one size.
        """
        measured = self.blocks[-(-start // EVERY) : -(-stop // EVERY)]
        needed = min(2, len(measured))
        return any(
            sum(any(same_blocks(one, other) for other in frame) for frame in measured) >= needed
            for each in measured
            for one in each
        )

    def hash_pair(self, start: int, stop: int) -> tuple[int, int] | None:
        """Return the hashes of the first measured frame and of the one in the middle, or None where
        one is flat.
        """
        measured = self.hashes[-(-start // EVERY) : -(-stop // EVERY)]
        if not measured:
            return None
        first, middle = measured[0], measured[len(measured) // 2]
        return None if first is None or middle is None else (first, middle)


def blurriness(frame: np.ndarray) -> float:
    """Return 0 for a sharp frame to 1 for one that blurring changes little, whatever its contrast.

    The share of the differences between neighbours that survives a moving average of nine pixels,
    the larger of the horizontal and the vertical one (F. Crete et al., "The blur effect: perception
    and estimation with a new no-reference perceptual blur metric", 2007).
    """
    gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    scale = SHARPNESS_SIDE / max(gray.shape)
    if scale < 1:
        gray = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    gray = gray.astype(np.float32)
    scores = []
    for axis, kernel in ((0, (1, BLUR_WIDTH)), (1, (BLUR_WIDTH, 1))):
        steps = np.abs(np.diff(gray, axis=axis))
        smooth = np.abs(np.diff(cv2.blur(gray, kernel), axis=axis))
        lost = np.maximum(steps - smooth, 0).sum(dtype=np.float64)
        total = steps.sum(dtype=np.float64)
        scores.append(1 - lost / total if total > 0 else 1.0)
    return float(max(scores))
