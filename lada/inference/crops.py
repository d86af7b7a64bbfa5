"""Square crops around mosaic regions, the way training clips are cut."""

from dataclasses import dataclass

import cv2
import numpy as np

from lada.evaluation.boxes import bounding_box
from lada.mosaic.crops import SMALLEST_SIDE, smoothed, square_padding

COVERAGE = 0.25
"""Share of a crop that its region covers on average, as in training clips."""
MARGIN = 0.1
"""Free border around the region's largest extent, as a fraction of it."""
SMOOTHED_FRAMES = 8
"""How many frames before and after one its place is averaged over."""
JOIN = 16
"""Regions closer than this many pixels share a crop."""


@dataclass
class Crop:
    """A window of constant size that follows one region of a clip.

    Attributes:
        side: of the square, in pixels; where the frame is smaller, the rest is black.
        corners: (T, 2) top left (y, x) of the visible part.
        shape: height and width of the visible part.
        region: (H, W) bool, the pixels in which the region lies during the clip.
    """

    side: int
    corners: np.ndarray
    shape: tuple[int, int]
    region: np.ndarray

    @property
    def padding(self) -> tuple[int, int]:
        """Rows above and columns left of the visible part."""
        top, _, left, _ = square_padding(self.shape, self.side)
        return top, left

    def cut(self, frame: np.ndarray, number: int) -> np.ndarray:
        """Return the square of frame ``number``."""
        top, left = self.padding
        square = np.zeros((self.side, self.side, *frame.shape[2:]), frame.dtype)
        square[top : top + self.shape[0], left : left + self.shape[1]] = frame[self.window(number)]
        return square

    def uncut(self, square: np.ndarray) -> np.ndarray:
        """Return the visible part of a square."""
        top, left = self.padding
        return square[top : top + self.shape[0], left : left + self.shape[1]]

    def window(self, number: int) -> tuple[slice, slice]:
        """Return the place of the visible part in frame ``number``."""
        y, x = self.corners[number]
        return slice(y, y + self.shape[0]), slice(x, x + self.shape[1])


def plan_crops(masks: list[np.ndarray]) -> list[Crop]:
    """Return a crop for each region of a clip, given its masks (H, W) bool; none where nothing is
    masked.
    """
    together = np.any(masks, axis=0)
    if not together.any():
        return []
    near = cv2.dilate(together.astype(np.uint8), np.ones((JOIN + 1, JOIN + 1), np.uint8))
    count, labels = cv2.connectedComponents(near)
    return [_follow(masks, together & (labels == label)) for label in range(1, count)]


def _follow(masks: list[np.ndarray], region: np.ndarray) -> Crop:
    frame_shape = np.array(region.shape)
    place = bounding_box(region)
    assert place is not None, 'a region without pixels'
    boxes, areas = np.full((len(masks), 4), np.nan), []
    for number, mask in enumerate(masks):
        part = mask[place] & region[place]
        box = bounding_box(part)
        if box is not None:
            rows, columns = box
            boxes[number] = rows.start, columns.start, rows.stop, columns.stop
            areas.append(np.count_nonzero(part))
    boxes += np.tile([part.start for part in place], 2)  # from the region's corner to the frame's
    boxes = _fill_gaps(boxes)
    largest = float((boxes[:, 2:] - boxes[:, :2]).max())
    side = max(
        np.sqrt(np.mean(areas) / COVERAGE),
        largest * (1 + MARGIN),
        min(SMALLEST_SIDE, *region.shape),
    )
    side = int(np.ceil(min(side, frame_shape.max())))
    shape = np.minimum(side, frame_shape)
    corners = smoothed((boxes[:, :2] + boxes[:, 2:]) / 2, SMOOTHED_FRAMES) - shape / 2
    corners = np.clip(corners, boxes[:, 2:] - shape, np.maximum(boxes[:, :2], 0))
    corners = np.clip(np.rint(corners), 0, frame_shape - shape).astype(int)
    return Crop(side, corners, (int(shape[0]), int(shape[1])), region)


def _fill_gaps(boxes: np.ndarray) -> np.ndarray:
    """Return boxes (T, 4) with linear interpolation where they are nan."""
    known = ~np.isnan(boxes[:, 0])
    numbers = np.arange(len(boxes))
    return np.stack(
        [np.interp(numbers, numbers[known], column[known]) for column in boxes.T], axis=1
    )
