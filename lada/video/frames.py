"""Frames in the formats in which they are changed and encoded, with what they carry beside their
samples.
"""

from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache
from typing import Any

import av
import av.filter
from av.sidedata.sidedata import Type
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from lada.video.pixel_format import ACCURATE, is_full_range, plane_array

_RGB, _BT709, _UNSPECIFIED = 0, 1, 2  # matrices (ITU-T H.273)
_DEPTHS = (8, 9, 10, 12, 14, 16)
_ANY_TIME = Fraction(1, 1000)  # which a filter that only copies does not look at
# By how many luma columns and rows share a chroma sample.
_SUBSAMPLING = {
    (1, 1): '444',
    (2, 1): '422',
    (2, 2): '420',
    (1, 2): '440',
    (4, 1): '411',
    (4, 4): '410',
}


def is_rgb(name: str) -> bool:
    """Tell whether a pixel format holds red, green and blue, directly or in a palette."""
    form = av.VideoFormat(name, 16, 16)
    return form.is_rgb or form.has_palette


def has_alpha(name: str) -> bool:
    """Tell whether a pixel format holds transparency."""
    return any(part.is_alpha for part in av.VideoFormat(name, 16, 16).components)


def planar_format(name: str) -> str:
    """Return the planar Y'CbCr (or gray) pixel format that holds the samples of a format: in their
    number and depth, without transparency.
    """
    form = av.VideoFormat(name, 64, 64)
    bits = max(part.bits for part in form.components)
    depth = min((depth for depth in _DEPTHS if depth >= bits), default=_DEPTHS[-1])
    suffix = '' if depth == 8 else f'{depth}le'
    if is_rgb(name):
        return f'yuv444p{suffix}'
    if sum(not part.is_alpha for part in form.components) == 1:
        return f'gray{suffix}'
    sampling = 64 // form.chroma_width(64), 64 // form.chroma_height(64)
    return f'yuv{_SUBSAMPLING.get(sampling, "444")}p{suffix}'


def formats_holding(name: str) -> list[str]:
    """Return planar formats for the pictures of one, the nearest first: those with more samples and
    bits, then those with fewer bits.
    """
    own = av.VideoFormat(name, 64, 64)
    depth = own.components[0].bits
    depths = [
        *(other for other in _DEPTHS if other >= depth),
        *(other for other in reversed(_DEPTHS) if other < depth),
    ]
    if len(own.components) == 1:
        # What has no colour loses nothing in any layout.
        shapes = ['gray', 'yuv420p', 'yuv444p']
    else:
        width, height = 64 // own.chroma_width(64), 64 // own.chroma_height(64)
        finer = [key for key in _SUBSAMPLING if key[0] <= width and key[1] <= height]
        finer.sort(key=lambda key: key[0] * key[1], reverse=True)
        shapes = [f'yuv{_SUBSAMPLING[key]}p' for key in finer]
    return [shape + ('' if other == 8 else f'{other}le') for other in depths for shape in shapes]


def in_format(frame: av.VideoFrame, name: str, reformatter: VideoReformatter) -> av.VideoFrame:
    """Return a frame in a planar Y'CbCr or gray format, its colours and its tags right for it.

    RGB becomes BT.709, limited range. Range and matrix of everything else stay.

    Args:
        frame: as it was decoded.
        name: the format.
        reformatter: converts; one for the frames of a video.
    """
    source = frame.format.name
    if source.startswith('yuvj') and source.replace('j', '', 1) == name:
        frame = _renamed(frame, name)
        frame.color_range = int(ColorRange.JPEG)
    elif is_rgb(source):
        frame = reformatter.reformat(
            frame,
            format=name,
            dst_colorspace=Colorspace.ITU709,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            interpolation=ACCURATE,
            threads=1,
        )
        frame.colorspace, frame.color_range = _BT709, int(ColorRange.MPEG)
    elif source != name:
        full = is_full_range(frame)
        tag, colour = int(frame.color_range), int(frame.colorspace)
        kept = ColorRange.JPEG if full else ColorRange.MPEG
        frame = reformatter.reformat(
            frame,
            format=name,
            src_color_range=kept,
            dst_color_range=kept,
            interpolation=ACCURATE,
            threads=1,
        )
        frame.color_range, frame.colorspace = int(kept) if full else tag, colour
    if int(frame.colorspace) == _RGB:
        # A matrix tag that such samples cannot have: players would show them green.
        frame.colorspace = _UNSPECIFIED
    return frame


def like(frame: av.VideoFrame) -> av.VideoFrame:
    """Return a frame of the same format whose samples are free to be overwritten, with captions,
    field order and whatever else the frame carries, but for the kind of picture it was coded as.
    """
    copied = frame
    if len(frame.side_data) or frame.interlaced_frame:
        # PyAV attaches nothing to a frame; FFmpeg's filters pass on what one carries.
        graph = _copying(frame.width, frame.height, frame.format.name)
        graph.push(frame)
        copied = graph.pull()
    if copied is frame or not isinstance(copied, av.VideoFrame):
        return av.VideoFrame(frame.width, frame.height, frame.format.name)
    copied.pict_type = 0
    return copied


@lru_cache(maxsize=2)
def _copying(width: int, height: int, name: str) -> av.filter.Graph:
    graph = av.filter.Graph()
    start = graph.add_buffer(
        width=width, height=height, format=av.VideoFormat(name), time_base=_ANY_TIME
    )
    copy, end = graph.add('copy'), graph.add('buffersink')
    start.link_to(copy)
    copy.link_to(end)
    graph.configure()
    return graph


def carried(frame: av.VideoFrame) -> Iterable[Type]:
    """Return the kinds of data a frame carries beside its samples."""
    data: Any = frame.side_data
    return [data[number].type for number in range(len(data))]


def _renamed(frame: av.VideoFrame, name: str) -> av.VideoFrame:
    """Return a copy of an 8-bit frame under the name of a format with the same memory layout."""
    copy = av.VideoFrame(frame.width, frame.height, name)
    for target, source in zip(copy.planes, frame.planes, strict=True):
        plane_array(target)[...] = plane_array(source)
    copy.pts, copy.duration = frame.pts, frame.duration
    copy.colorspace, copy.color_primaries, copy.color_trc = (
        frame.colorspace,
        frame.color_primaries,
        frame.color_trc,
    )
    return copy
