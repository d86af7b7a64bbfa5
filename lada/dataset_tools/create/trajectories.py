"""Regions that move smoothly through a frame, as a pure function of a seed and of time."""

import cv2
import numpy as np

ELLIPSE_POINTS = 48
SUBPIXEL_BITS = 4
REACH = 1.45
"""No point of an outline is further from its centre than this many equivalent radii."""


class MovingRegion:
    """An ellipse or a polygon whose place, angle and outline change smoothly with time.

    The centre follows a phase-modulated sine along each axis and so stays inside the frame; radii
    swell by some percent.

    Args:
        rng: source of its shape and motion.
        frame_shape: height and width in pixels.
        diameter: in pixels, of a circle of about the same area.
    """

    def __init__(self, rng: np.random.Generator, frame_shape: tuple[int, int], diameter: float):
        height, width = frame_shape
        self.diameter = diameter
        radius = diameter / 2
        middle = np.array([width / 2, height / 2])
        self._middle, self._range = middle, np.maximum(middle - REACH * radius, 0)
        # Up to about two thirds of the short side a second, whatever the length of the axis.
        speed = rng.uniform(0.15, 0.65, 2) * min(height, width)
        self._omega = np.minimum(speed / np.maximum(self._range, 1), 4.0)
        self._phase = rng.uniform(0, 2 * np.pi, (2, 2))
        self._sway = rng.uniform(0.5, 2.0, 2)
        self._rotation = rng.uniform(0, 2 * np.pi), rng.uniform(-0.8, 0.8)
        if rng.random() < 0.5:
            count, aspect = ELLIPSE_POINTS, rng.uniform(1.0, 1.5)
            angles = np.arange(count) * (2 * np.pi / count)
            unit = np.stack(
                [np.cos(angles) * np.sqrt(aspect), np.sin(angles) / np.sqrt(aspect)], axis=1
            )
            # All points of an ellipse swell together, so that it stays one.
            self._swell = (
                np.full(count, rng.uniform(1.0, 3.0)),
                np.full(count, rng.uniform(0, 2 * np.pi)),
            )
        else:
            count = int(rng.integers(5, 10))
            angles = (np.arange(count) + rng.uniform(-0.25, 0.25, count)) * (2 * np.pi / count)
            radii = rng.uniform(0.8, 1.1, count)
            unit = np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii[:, None]
            unit *= np.minimum(np.sqrt(np.pi / polygon_area(unit)), 1.25 / radii.max())
            self._swell = rng.uniform(1.0, 3.0, count), rng.uniform(0, 2 * np.pi, count)
        self._unit = unit * radius

    def outline(self, seconds: float) -> np.ndarray:
        """Return the outline's points (K, 2) as x, y in pixels of the frame."""
        sway = 0.6 * np.sin(self._sway * seconds + self._phase[1])
        centre = self._middle + self._range * np.sin(self._omega * seconds + self._phase[0] + sway)
        angle = self._rotation[0] + self._rotation[1] * seconds
        cos, sin = np.cos(angle), np.sin(angle)
        rate, phase = self._swell
        points = self._unit * (1 + 0.08 * np.sin(rate * seconds + phase))[:, None]
        return points @ np.array([[cos, sin], [-sin, cos]]) + centre


def polygon_area(points: np.ndarray) -> float:
    """Return the area of a simple polygon given as (K, 2) points."""
    x, y = points.T
    return abs(float(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))) / 2


def fill_outline(points: np.ndarray, shape: tuple[int, int], offset: tuple[int, int]) -> np.ndarray:
    """Return the mask (H, W) uint8, 0 or 255, of an outline in a window.

    Args:
        points: (K, 2) x, y in pixels of the frame.
        shape: height and width of the window.
        offset: the window's top left corner (y, x) in the frame.
    """
    mask = np.zeros(shape, np.uint8)
    local = (points - np.array(offset[::-1])) * (1 << SUBPIXEL_BITS)
    cv2.fillPoly(mask, [np.round(local).astype(np.int32)], 255, shift=SUBPIXEL_BITS)
    return mask
