"""Reading frames by number.

Frames are numbered in the order they are shown, from 0, whatever their timestamps (variable frame
rate needs no special case). Seeking is exact: the keyframe to start from comes from the container's
index or from a scan of its packets, and where neither can be trusted the file is decoded from its
beginning.
"""

import re
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np

from lada.file_part import FilePart
from lada.text import reason
from lada.video import ffv1
from lada.video.errors import VideoError
from lada.video.orientation import Orientation, display_matrix, orientation_of
from lada.video.pixel_format import FrameConverter, upright_size
from lada.video.pyav import FAULTS, VideoFile, frame_rate, open_video, time_base

# Codecs some of whose packets show no frame, so that counting packets does not count frames.
_HIDDEN_FRAMES = {'vp8'}
# How DivX and XviD say that a packet may hold two pictures, and a later one none.
_PACKED = re.compile(rb'DivX\d+\D+\d+p')
_SEEK_ATTEMPTS = 3
# Codecs reorder over at most 16 pictures; twice that, for fields.
_REORDERED_AT_MOST = 32


@dataclass(frozen=True)
class VideoInfo:
    """What a video file says about itself; width and height are those of the upright frames."""

    path: Path
    width: int
    height: int
    fps: Fraction
    frames: int | None
    """Number of frames the container claims, ``None`` where it does not."""
    duration: float | None
    """Seconds."""
    codec: str
    pix_fmt: str
    rotation: int
    """Degrees counter-clockwise; the reader applies multiples of 90, and mirroring."""
    has_audio: bool


def probe(path: VideoFile) -> VideoInfo:
    """Describe a video file (its first frame is decoded). Raises :class:`VideoError`."""
    with open_video(path) as (container, stream):
        frame = next(_decode(_packets(container, stream), path, 0), None)
        if frame is None:
            raise VideoError(f'no frames in the video: {path}; replace the file')
        height, width = upright_size(frame)
        if stream.duration is not None:
            duration = float(stream.duration * time_base(stream))
        elif container.duration is not None:
            duration = container.duration / av.time_base
        else:
            duration = None
        return VideoInfo(
            path=Path(path.path if isinstance(path, FilePart) else path),
            width=width,
            height=height,
            fps=frame_rate(stream),
            frames=stream.frames or None,
            duration=duration,
            codec=stream.codec_context.name,
            pix_fmt=frame.format.name,
            rotation=180 if frame.rotation == -180 else frame.rotation,
            has_audio=bool(container.streams.audio),
        )


def count_frames(path: VideoFile) -> int:
    """Count the frames of a file from its index or packets, without decoding where these are
    enough.
    """
    with open_video(path) as (container, stream):
        if _packets_hide_frames(stream):
            count = sum(1 for _ in _decode(_packets(container, stream), path, 0))
        elif _has_full_index(stream):
            count = sum(not entry.is_discard for entry in stream.index_entries)
        else:
            packets = _demux(container, stream, path)
            count = sum(1 for packet in packets if packet.size and not packet.is_discard)
    if not count:
        raise VideoError(f'no frames in the video: {path}; replace the file')
    return count


def iter_frames(
    path: VideoFile,
    start: int = 0,
    stop: int | None = None,
    *,
    gray: bool = False,
    threads: int = 1,
) -> Iterator[np.ndarray]:
    """Yield frames ``start`` to ``stop`` one at a time, each a uint8 array of its own, (H, W, 3)
    RGB.

    Raises :class:`VideoError` if the file is missing, no video, damaged, or ends before ``stop``
    (without ``stop``: before or at ``start``).

    Args:
        path: the file.
        start: first frame, counted from 0.
        stop: frame to end before; None: read to the end.
        gray: yield the luma plane (H, W) as 0..255 instead (a mask written by this package comes
            back unchanged).
        threads: decoder threads, 0 for as many as there are cores.
    """
    convert = FrameConverter(gray)
    for number, picture in _pictures(path, start, stop, threads):
        yield _converted(convert, path, number, picture)


def read_frames(
    path: VideoFile,
    start: int = 0,
    stop: int | None = None,
    *,
    gray: bool = False,
    threads: int = 1,
) -> np.ndarray:
    """Read frames ``start`` to ``stop`` into one uint8 array, (T, H, W, 3) RGB.

    As :func:`iter_frames`, and all frames must have one size.

    Args:
        path: the file.
        start: first frame, counted from 0.
        stop: frame to end before; None: read to the end.
        gray: return luma planes (T, H, W) instead.
        threads: decoder threads, 0 for as many as there are cores.
    """
    return read_clip(path, start, stop, gray=gray, threads=threads).frames


class SizedClip(NamedTuple):
    """Frames, and the size they have in their file."""

    frames: np.ndarray
    """(T, H, W, 3) uint8 RGB, or luma planes (T, H, W)."""
    shape: tuple[int, int]
    """Height and width of the file's upright frames."""


def read_clip(
    path: VideoFile,
    start: int = 0,
    stop: int | None = None,
    *,
    gray: bool = False,
    threads: int = 1,
    size: tuple[int, int] | None = None,
) -> SizedClip:
    """Read frames as :func:`read_frames` does, and bring them to a size: cheaper than resizing what
    was read, because most pixels are never converted.

    Args:
        path, start, stop, gray, threads: as there.
        size: height and width; the file's unless given. Down by averaging, up by cubic
            interpolation.
    """
    # First all are decoded, then all converted: one kind of work after the other makes better use
    # of the caches.
    pictures = deque(_pictures(path, start, stop, threads))
    if not pictures:
        raise ValueError(f'an empty frame range: {start} to {stop}')
    convert = FrameConverter(gray, size)
    shape = upright_size(pictures[0][1])
    clip = np.empty((len(pictures), *(size or shape), *(() if gray else (3,))), np.uint8)
    for out in clip:
        number, picture = pictures.popleft()
        orientation = orientation_of(display_matrix(picture))
        there = upright_size(picture, orientation)
        if there != shape:
            raise VideoError(
                f'the frame size changes: {path}, frame {number} is {there[1]}x{there[0]} after '
                f'{shape[1]}x{shape[0]}; re-encode the file to one size'
            )
        _converted(convert, path, number, picture, out, orientation)
    return SizedClip(clip, shape)


def _pictures(
    path: VideoFile, start: int, stop: int | None, threads: int
) -> Iterator[tuple[int, av.VideoFrame]]:
    """Decode frames ``start`` to ``stop``; yields their numbers, too."""
    if start < 0 or (stop is not None and stop < start):
        raise ValueError(f'no frame range: {start} to {stop}')
    if stop == start:
        return
    if start:
        with open_video(path, threads) as (container, stream):
            position = _seek(container, stream, path, start)
            if position is not None:
                number, first_pts, packets = position
                yield from _select(
                    _decode(packets, path, number, first_pts), path, number, start, stop
                )
                return
    with open_video(path, threads) as (container, stream):
        yield from _select(_decode(_packets(container, stream), path, 0), path, 0, start, stop)


def _select(frames, path, number, start, stop) -> Iterator[tuple[int, av.VideoFrame]]:
    """Yield those of ``frames`` (the first has this ``number``) that lie in the range, and their
    numbers.
    """
    for frame in frames:
        if number >= start:
            yield number, frame
        number += 1
        if number == stop:
            return
    if number <= start or stop is not None:
        wanted = f'frame {stop - 1 if stop is not None else start} was asked for'
        raise VideoError(
            f'the video ends early: {path} has {number} frames, {wanted}; '
            'the file is cut short or its metadata is wrong'
        )


def _converted(
    convert: FrameConverter,
    path,
    number: int,
    picture: av.VideoFrame,
    out: np.ndarray | None = None,
    orientation: Orientation | None = None,
) -> np.ndarray:
    try:
        return convert(picture, out, orientation)
    except FAULTS as error:
        raise VideoError(
            f'cannot convert frame {number}: {path} ({picture.format.name}: {error}); re-encode it'
        ) from error


def _packets(container, stream) -> Iterator[av.Packet]:
    # A generator of PyAV that is dropped before its end, not closed, leaks a packet.
    with closing(container.demux(stream)) as packets:
        yield from ffv1.verified(packets) if stream.codec_context.name == 'ffv1' else packets


def _demux(container, stream, path) -> Iterator[av.Packet]:
    try:
        with closing(container.demux(stream)) as packets:
            yield from packets
    except FAULTS as error:
        raise VideoError(
            f'damaged video: {path} ({reason(error)}); replace or re-encode it'
        ) from error


def _decode(packets, path, number, first_pts=None) -> Iterator[av.VideoFrame]:
    """Decode packets; ``number`` is that of the first frame, frames before ``first_pts`` are
    dropped.
    """
    try:
        for packet in packets:
            for frame in packet.decode():
                if first_pts is None or frame.pts is None or frame.pts >= first_pts:
                    if frame.is_corrupt:
                        raise ValueError('parts of the frame are missing')
                    yield frame
                    number += 1
    except FAULTS as error:
        raise VideoError(
            f'damaged video: {path}, at or after frame {number} ({reason(error)}); replace or'
            ' re-encode it'
        ) from error


def _packets_hide_frames(stream) -> bool:
    context = stream.codec_context
    if context.name == 'mpeg4':
        return bool(_PACKED.search(context.extradata or b''))
    return context.name in _HIDDEN_FRAMES


def _has_full_index(stream) -> bool:
    return stream.frames > 0 and len(stream.index_entries) == stream.frames


def _seek(container, stream, path, start):
    """Move to a keyframe from which frame ``start`` can be reached.

    Returns (number of the keyframe's frame, its pts, packets from there on), or ``None`` if the
    file must be decoded from its beginning.
    """
    if _packets_hide_frames(stream):
        return None
    indexed = _has_full_index(stream)
    keyframes = (
        _indexed_keyframes(stream, start)
        if indexed
        else _scanned_keyframes(container, stream, path, start)
    )
    for number, stamp in keyframes[: -_SEEK_ATTEMPTS - 1 : -1]:
        try:
            container.seek(stamp, stream=stream)
            packets = _packets(container, stream)
            first = next(packets, None)
            if first is None or not first.is_keyframe or first.pts is None:
                continue
            if (first.dts if indexed else first.pts) != stamp:
                continue
            ahead = [first]
            if indexed:
                leading = _leading(packets, ahead)
                if leading is None:
                    return None
                number += leading
        except FAULTS:
            return None
        if number <= start:
            return number, first.pts, chain(ahead, packets)
    return None


def _leading(packets: Iterator[av.Packet], ahead: list[av.Packet]) -> int | None:
    """Count the leading pictures of an open group of pictures: behind its keyframe in decoding
    order, shown before.

    Packets taken on the way are appended to ``ahead``, which holds the keyframe's.
    """
    shown, count = ahead[0].pts, 0
    if shown is None:
        return None
    for packet in packets:
        ahead.append(packet)
        if not packet.size:
            break
        if packet.dts is None or packet.pts is None:
            return None
        if packet.dts >= shown:
            break
        count += packet.pts < shown
    return count


def _indexed_keyframes(stream, start) -> list[tuple[int, int]]:
    """List (packets before it, dts) of keyframes up to packet ``start``; empty if an edit cuts any.

    The frame a keyframe shows has as its number the packets before it, plus its leading pictures.
    """
    keyframes = []
    for position, entry in enumerate(stream.index_entries):
        if position > start:
            break
        if entry.is_discard:
            return []
        if entry.is_keyframe:
            keyframes.append((position, entry.timestamp))
    return keyframes


def _scanned_keyframes(container, stream, path, start) -> list[tuple[int, int]]:
    """List (number of its frame, pts) of keyframes up to frame ``start``, from the packets; empty
    if that fails.
    """
    stamps, keys = [], []
    for packet in _demux(container, stream, path):
        if len(stamps) > start + _REORDERED_AT_MOST:
            break
        if not packet.size:
            continue
        if packet.pts is None or packet.is_discard:
            return []
        if packet.is_keyframe:
            keys.append(packet.pts)
        if keys:
            stamps.append(packet.pts)
    stamps.sort()
    numbered = ((bisect_left(stamps, key), key) for key in keys)
    return sorted(pair for pair in numbered if pair[0] <= start)
