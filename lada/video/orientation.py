"""How a picture is turned and mirrored for display, from the display matrix of its file."""

import math
from typing import Any, NamedTuple

import av
import numpy as np
from av.sidedata.sidedata import Type

IDENTITY = (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)


class Orientation(NamedTuple):
    """What brings a coded picture upright: quarter turns counter-clockwise, then left and right
    swapped where ``mirrored``.
    """

    turns: int = 0
    mirrored: bool = False

    @property
    def sideways(self) -> bool:
        """Whether width and height change places."""
        return self.turns % 2 == 1

    def upright(self, array: np.ndarray) -> np.ndarray:
        """Return a view of a coded picture (h, w, ...) as it is shown."""
        array = np.rot90(array, self.turns) if self.turns else array
        return array[:, ::-1] if self.mirrored else array

    def as_coded(self, array: np.ndarray) -> np.ndarray:
        """Return a view of an upright picture (h, w, ...) as it is coded."""
        array = array[:, ::-1] if self.mirrored else array
        return np.rot90(array, -self.turns) if self.turns else array

    def coded_corner(
        self, y: int, x: int, size: tuple[int, int], shape: tuple[int, int]
    ) -> tuple[int, int]:
        """Return where the top left corner of a patch lies in the coded picture.

        Args:
            y, x: its top left corner in the upright picture.
            size: height and width of the upright patch.
            shape: height and width of the upright picture.
        """
        (h, w), (height, width) = size, shape
        if self.mirrored:
            x = width - x - w
        return [
            (y, x),
            (x, height - y - h),
            (height - y - h, width - x - w),
            (width - x - w, y),
        ][self.turns]


def display_matrix(frame: av.VideoFrame) -> tuple[int, ...] | None:
    """Return the nine numbers of a frame's display matrix (libavutil/display.h), ``None`` where it
    has none or one that changes nothing.
    """
    data = side_data(frame, Type.DISPLAYMATRIX)
    if data is None or len(data) < 36:
        return None
    matrix = tuple(int(value) for value in np.frombuffer(data[:36], np.int32))
    return None if matrix[:5] == IDENTITY[:5] else matrix


def side_data(frame: av.VideoFrame, kind: Type) -> bytes | None:
    """Return what a frame carries of a kind beside its samples."""
    data: Any = frame.side_data
    try:
        return bytes(data[kind])
    except KeyError:
        return None


def orientation_of(matrix: tuple[int, ...] | None) -> Orientation:
    """Return what a display matrix does, as far as it consists of quarter turns and mirroring."""
    if matrix is None:
        return Orientation()
    a, b, _, c, d = matrix[:5]
    mirrored = a * d < b * c
    # A point (x, y), y pointing down, is shown at (a x + c y, b x + d y).
    angle = math.degrees(math.atan2(b, -a if mirrored else a))
    if not (a or b) or abs(angle - 90 * round(angle / 90)) > 0.5:
        return Orientation()
    return Orientation(-round(angle / 90) % 4, mirrored)
