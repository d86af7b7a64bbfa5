"""Decoded pictures kept as they are, so that what nobody touches stays bit-equal."""

from functools import cached_property

import av
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter

from lada.video.colour import transforms
from lada.video.frames import in_format, like, planar_format
from lada.video.orientation import display_matrix, orientation_of
from lada.video.pixel_format import FrameConverter, is_full_range, matrix_of

TAGS = ('colorspace', 'color_range', 'color_primaries', 'color_trc')
"""The names under which PyAV keeps a picture's colour description."""


class Picture:
    """One frame of a video: Y'CbCr samples to change and to encode, and RGB to look at.

    ``planes`` are the frame's samples, (h, w) uint8 or, above 8 bits, uint16. :meth:`blend`
    replaces those it changes by new arrays that differ only where its weight is above 0. RGB is
    upright (turns and mirroring of the display matrix are applied), planes lie as they are coded.

    Args:
        frame: as it was decoded.
        reformatter: converts other formats; one is shared by the pictures of a video.
        converter: makes RGB of a frame; shared, too.
        form: a planar Y'CbCr or gray pixel format; the nearest one unless given.
    """

    def __init__(
        self,
        frame: av.VideoFrame,
        reformatter: VideoReformatter,
        converter: FrameConverter,
        form: str | None = None,
    ):
        self.pts, self.duration = frame.pts, frame.duration
        self.matrix = display_matrix(frame)
        self.orientation = orientation_of(self.matrix)
        self._converter = converter
        frame = self._frame = in_format(
            frame, form or planar_format(frame.format.name), reformatter
        )
        self.tags = {name: int(getattr(frame, name)) for name in TAGS}
        self._to_yuv = transforms(matrix_of(frame), is_full_range(frame)).to_yuv
        self.format = frame.format.name
        self.planes = [_samples(plane, self.depth) for plane in frame.planes]
        self._own = [False] * len(self.planes)

    @property
    def depth(self) -> int:
        """Bits of a sample."""
        return self._frame.format.components[0].bits

    @cached_property
    def shape(self) -> tuple[int, int]:
        """Height and width of the upright picture."""
        height, width = self._frame.height, self._frame.width
        return (width, height) if self.orientation.sideways else (height, width)

    def rgb(self) -> np.ndarray:
        """Return the decoded picture as upright uint8 (H, W, 3) RGB; later changes do not show."""
        return self._converter(self._frame)

    def blend(self, rgb: np.ndarray, alpha: np.ndarray, y: int, x: int) -> None:
        """Mix an RGB patch into the planes.

        Args:
            rgb: (h, w, 3), 0 to 255, upright.
            alpha: (h, w) weight of the patch, 0 to 1. A chroma sample takes the least weight of the
                pixels it colours.
            y, x: the patch's top left corner in the upright picture.
        """
        if not alpha.any():
            return
        rgb, alpha, y, x = self._as_coded(rgb, alpha, y, x)
        step_y, step_x = self._subsampling()
        height, width = self.planes[0].shape
        top, left = y % step_y, x % step_x
        bottom, right = -(y + rgb.shape[0]) % step_y, -(x + rgb.shape[1]) % step_x
        # The last sample of an odd side colours fewer pixels, all of which are in the patch.
        beyond = [(0, bottom, y + rgb.shape[0] == height), (1, right, x + rgb.shape[1] == width)]
        alpha = np.pad(alpha.astype(np.float32), ((top, 0), (left, 0)))
        for axis, amount, at_edge in beyond:
            widths = [(0, amount) if axis == number else (0, 0) for number in (0, 1)]
            alpha = np.pad(alpha, widths, mode='edge' if at_edge and amount else 'constant')
        rgb = cv2.copyMakeBorder(
            rgb.astype(np.float32), top, bottom, left, right, cv2.BORDER_REPLICATE
        )
        yuv = cv2.transform(rgb, self._to_yuv) * float(1 << (self.depth - 8))
        y, x = y - top, x - left
        self._mix(0, y, x, yuv[..., 0], alpha)
        if len(self.planes) == 3:
            shape = alpha.shape[0] // step_y, step_y, alpha.shape[1] // step_x, step_x
            least = alpha.reshape(shape).min(axis=(1, 3))
            for number in (1, 2):
                chroma = yuv[..., number].reshape(shape).mean(axis=(1, 3))
                self._mix(number, y // step_y, x // step_x, chroma, least)

    def to_frame(self, planes: list[np.ndarray] | None = None) -> av.VideoFrame:
        """Return a frame to encode, with this picture's time and tags; ``planes``: other samples,
        of any size.
        """
        if planes is None:
            frame, planes = like(self._frame), self.planes
        else:
            height, width = planes[0].shape
            frame = av.VideoFrame(width, height, self.format)
        for plane, samples in zip(frame.planes, planes, strict=True):
            target = _samples(plane, self.depth)
            target[...] = samples[: target.shape[0], : target.shape[1]]
        frame.pts, frame.duration = self.pts, self.duration
        for name, value in self.tags.items():
            setattr(frame, name, value)
        return frame

    def beside(self, other_planes: list[np.ndarray]) -> list[np.ndarray]:
        """Return planes that show ``other_planes`` on the left of this picture, when shown
        upright.
        """
        pairs = zip(other_planes, self.planes, strict=True)
        if (self.orientation.turns in (2, 3)) != self.orientation.mirrored:
            pairs = ((right, left) for left, right in pairs)
        return [np.concatenate(pair, axis=1 - self.orientation.turns % 2) for pair in pairs]

    def _subsampling(self) -> tuple[int, int]:
        form = self._frame.format
        return (
            (64 // form.chroma_height(64), 64 // form.chroma_width(64))
            if len(self.planes) == 3
            else (1, 1)
        )

    def _as_coded(self, rgb, alpha, y, x):
        y, x = self.orientation.coded_corner(y, x, alpha.shape, self.shape)
        rgb, alpha = self.orientation.as_coded(rgb), self.orientation.as_coded(alpha)
        return np.ascontiguousarray(rgb), np.ascontiguousarray(alpha), y, x

    def _mix(self, number: int, y: int, x: int, values: np.ndarray, alpha: np.ndarray) -> None:
        if not self._own[number]:
            self.planes[number], self._own[number] = self.planes[number].copy(), True
        plane = self.planes[number]
        target = plane[y : y + alpha.shape[0], x : x + alpha.shape[1]]
        values, alpha = (array[: target.shape[0], : target.shape[1]] for array in (values, alpha))
        mixed = np.rint(target + alpha * (values - target)).clip(0, (1 << self.depth) - 1)
        np.copyto(target, mixed.astype(plane.dtype), where=alpha > 0)


def _samples(plane, depth: int) -> np.ndarray:
    """View a plane's samples (h, w), without its padding."""
    dtype = np.uint8 if depth == 8 else np.uint16
    rows = np.frombuffer(plane, dtype).reshape(-1, plane.line_size // np.dtype(dtype).itemsize)
    return rows[: plane.height, : plane.width]
