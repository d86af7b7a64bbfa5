"""The window of a clip: its size, and how it follows the region."""

import numpy as np

from lada.mosaic.crops import SMALLEST_SIDE, smoothed

SIDE_STEP = 8
"""Windows are a multiple of this many pixels, which every codec and subsampling divides."""
MARGIN = 0.04
"""Free border, as a fraction of the window's side, that the region keeps wherever the frame allows.
"""


def window_side(
    extents: np.ndarray, area: float, coverage: float, frame_shape: tuple[int, int]
) -> int:
    """Return the side in pixels of a square window around a region.

    Args:
        extents: (T, 4) boxes top, left, bottom, right of the region, the largest of which fits with
            its margin.
        area: of the region in pixels, on average.
        coverage: share of the window that the region is to cover.
        frame_shape: height and width in pixels; the window is not larger than the longer side.
    """
    largest = float(np.max(extents[:, 2:] - extents[:, :2]))
    side = max(
        np.sqrt(area / coverage), largest * (1 + 2.5 * MARGIN), min(SMALLEST_SIDE, min(frame_shape))
    )
    side = min(side, max(frame_shape))
    return int(np.ceil(side / SIDE_STEP)) * SIDE_STEP


def follow(
    boxes: np.ndarray, side: int, frame_shape: tuple[int, int], fps: float, rng: np.random.Generator
) -> np.ndarray:
    """Return the window's top left corners (T, 2), y and x.

    The window follows a smoothed path of the region and wanders around it, so that the region moves
    within the crop, but never leaves it; near the frame's edge the window stops.

    Args:
        boxes: (T, 4) top, left, bottom, right of the region.
        side: the window's, in pixels.
        frame_shape: height and width in pixels.
        fps: frames a second.
        rng: source of how the window wanders.
    """
    size = np.minimum(side, frame_shape)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    seconds = np.arange(len(boxes)) / fps
    rate, phase = rng.uniform(0.8, 2.2, 2), rng.uniform(0, 2 * np.pi, 2)
    wander = 0.12 * side * np.sin(rate * seconds[:, None] + phase)
    corners = smoothed(centres, max(1, round(fps))) + wander - size / 2
    slack = np.maximum(size - (boxes[:, 2:] - boxes[:, :2]), 0)
    margin = np.minimum(MARGIN * side, slack / 2)
    corners = np.clip(corners, boxes[:, 2:] + margin - size, np.maximum(boxes[:, :2] - margin, 0))
    return np.clip(np.round(corners), 0, np.array(frame_shape) - size).astype(int)
