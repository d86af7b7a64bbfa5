"""Decoded frames into arrays, the right matrix, the right range, upright; and arrays into frames to
encode.
"""

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from lada.video.colour import expand_luma, planes_to_rgb, rgb_to_yuv420
from lada.video.orientation import Orientation, display_matrix, orientation_of
from lada.video.resizing import resize_picture

# AVColorSpace numbers as decoders report them.
_MATRIX_OF_TAG = {
    1: 'bt709',
    4: 'fcc',
    5: 'bt601',
    6: 'bt601',
    7: 'smpte240m',
    9: 'bt2020',
    10: 'bt2020',
}
_SWSCALE_MATRIX = {
    'bt601': Colorspace.ITU601,
    'bt709': Colorspace.ITU709,
    'bt2020': Colorspace.BT2020,
    'smpte240m': Colorspace.SMPTE240M,
    'fcc': Colorspace.FCC,
}
_LIMITED, _FULL = int(ColorRange.MPEG), int(ColorRange.JPEG)
_PLANAR = {
    'yuv420p',
    'yuv422p',
    'yuv444p',
    'yuv440p',
    'yuvj420p',
    'yuvj422p',
    'yuvj444p',
    'yuvj440p',
}
_LUMA_FIRST = _PLANAR | {'nv12', 'nv21', 'yuv410p', 'yuv411p', 'gray'}
# Without these flags swscale's converters are biased by a grey level.
ACCURATE = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


class FrameConverter:
    """Turns frames of one stream into uint8 arrays, upright (the display matrix's quarter turns and
    mirroring are applied).

    Untagged video counts as BT.709 from 1280 columns or 577 rows on and as BT.601 below, limited
    range.

    Args:
        gray: return the luma plane instead of RGB.
        size: height and width of the arrays; the frame's own unless given.
    """

    def __init__(self, gray: bool = False, size: tuple[int, int] | None = None):
        self._gray, self._size = gray, size
        self._reformatter = VideoReformatter()

    def __call__(
        self,
        frame: av.VideoFrame,
        out: np.ndarray | None = None,
        orientation: Orientation | None = None,
    ) -> np.ndarray:
        """Return (H, W, 3) RGB, or the (H, W) luma plane as 0..255 with ``gray``.

        Args:
            frame: as it was decoded.
            out: array to write to; a new one unless given.
            orientation: of the frame, where it is known already.
        """
        if orientation is None:
            orientation = orientation_of(display_matrix(frame))
        if any(orientation):
            array = orientation.upright(self._luma(frame) if self._gray else self._rgb(frame))
        elif self._gray:
            array = self._luma(frame)
        else:
            array = self._rgb(frame, out, self._size)
        if self._size is not None and array.shape[:2] != self._size:
            return resize_picture(array, self._size, out)
        if out is None:
            return array if array.base is None and array.flags.c_contiguous else array.copy()
        if array is not out:
            out[...] = array
        return out

    def _rgb(
        self,
        frame: av.VideoFrame,
        out: np.ndarray | None = None,
        size: tuple[int, int] | None = None,
    ) -> np.ndarray:
        name = frame.format.name
        if name == 'gray':
            return np.repeat(self._luma(frame)[..., None], 3, axis=2)
        matrix = matrix_of(frame)
        if name in _PLANAR:
            luma, blue, red = (plane_array(plane) for plane in frame.planes)
            return planes_to_rgb(luma, blue, red, matrix, is_full_range(frame), out, size)
        source = None if frame.format.is_rgb else _SWSCALE_MATRIX[matrix]
        converted = self._reformatter.reformat(
            frame, format='rgb24', src_colorspace=source, interpolation=ACCURATE, threads=1
        )
        return plane_array(converted.planes[0], channels=3)

    def _luma(self, frame: av.VideoFrame) -> np.ndarray:
        if frame.format.name in _LUMA_FIRST:
            luma = plane_array(frame.planes[0])
            return luma if is_full_range(frame) else expand_luma(luma)
        converted = self._reformatter.reformat(
            frame,
            format='gray',
            dst_color_range=ColorRange.JPEG,
            interpolation=ACCURATE,
            threads=1,
        )
        return plane_array(converted.planes[0])


def yuv420p_frame(frame: np.ndarray, matrix: str = 'bt709') -> av.VideoFrame:
    """Return a frame as limited-range yuv420p.

    Args:
        frame: (H, W, 3) uint8 RGB, H and W even.
        matrix: a name in :data:`lada.video.colour.LUMA_WEIGHTS`.
    """
    height, width = frame.shape[:2]
    picture = av.VideoFrame(width, height, 'yuv420p')
    rgb_to_yuv420(frame, [plane_array(plane) for plane in picture.planes], matrix)
    return picture


def upright_size(frame: av.VideoFrame, orientation: Orientation | None = None) -> tuple[int, int]:
    """Return height and width of the frame once it is upright; ``orientation`` where it is
    known.
    """
    if (orientation or orientation_of(display_matrix(frame))).sideways:
        return frame.width, frame.height
    return frame.height, frame.width


def matrix_of(frame: av.VideoFrame) -> str:
    """Return the name of the frame's Y'CbCr matrix, by its tag or else by its size."""
    guess = 'bt709' if frame.width >= 1280 or frame.height > 576 else 'bt601'
    return _MATRIX_OF_TAG.get(int(frame.colorspace), guess)


def is_full_range(frame: av.VideoFrame) -> bool:
    """Tell whether luma spans 0..255; untagged pure gray does, untagged colour does not."""
    tag = int(frame.color_range)
    if frame.format.name == 'gray':
        return tag != _LIMITED
    return tag == _FULL or frame.format.name.startswith('yuvj')


def plane_array(plane, channels: int = 1) -> np.ndarray:
    """View a plane of 8-bit samples as (H, W) or (H, W, channels), without its padding."""
    shape = (plane.height, plane.width) if channels == 1 else (plane.height, plane.width, channels)
    return np.ndarray(shape, np.uint8, plane, strides=(plane.line_size, channels, 1)[: len(shape)])
