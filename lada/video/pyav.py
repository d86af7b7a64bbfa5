"""Opening files and codecs with PyAV, so that failures are one clear line and types are known."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
from av.codec.context import ThreadType
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.stream import Disposition, Stream

from lada.errors import LadaError
from lada.file_part import FilePart
from lada.text import reason
from lada.video.errors import VideoError

VideoFile = str | Path | FilePart
"""What can be opened: a file, or one inside another."""
_FASTEST = 1000  # frames a second, above which a measured rate is none
# What PyAV raises on damaged data; IndexError where a damaged stream seems to gain further streams.
FAULTS = (FFmpegError, ValueError, IndexError, OverflowError, MemoryError)


@contextmanager
def open_video(
    path: VideoFile, threads: int = 1
) -> Iterator[tuple[InputContainer, av.VideoStream]]:
    """Open a file and its first video stream; every way to fail is a :class:`VideoError`.

    Args:
        path: the file.
        threads: decoder threads, 0 for as many as there are cores.
    """
    # 'file:' keeps a colon in a name from being read as a protocol, the list a playlist off the
    # network.
    file = io.BytesIO(_content(path)) if isinstance(path, FilePart) else f'file:{_checked(path)}'
    try:
        container = av.open(
            file, 'r', options={'protocol_whitelist': 'file'}, metadata_errors='replace'
        )
    except (*FAULTS, OSError) as error:
        cut = not isinstance(path, FilePart) and _is_cut(Path(path))
        why = 'cut short: the index at its end is missing' if cut else reason(error)
        raise VideoError(f'not a readable video: {path} ({why}); replace the file') from error
    with container:
        streams = [
            s for s in container.streams.video if not s.disposition & Disposition.attached_pic
        ]
        if not streams:
            kind = 'audio only' if container.streams.audio else 'no video stream'
            raise VideoError(f'not a video: {path} ({kind}); replace the file')
        stream = streams[0]
        if stream.codec_context is None:
            raise VideoError(
                f'no decoder for the video: {path}; re-encode it, for example as H.264'
            )
        stream.codec_context.thread_count = threads
        if threads != 1:
            stream.codec_context.thread_type = ThreadType.AUTO
        yield container, stream


def _content(part: FilePart) -> bytes:
    try:
        return part.read()
    except LadaError as error:
        raise VideoError(str(error)) from error


def _checked(path: str | Path) -> Path:
    path = Path(path)
    if not path.is_file():
        raise VideoError(f'no such video file: {path}; check the path')
    if not path.stat().st_size:
        raise VideoError(f'an empty file instead of a video (0 bytes): {path}; replace it')
    return path


def _is_cut(path: Path) -> bool:
    """Tell whether a file is an MP4 whose last box (ISO/IEC 14496-12) goes beyond its end."""
    size, at = path.stat().st_size, 0
    with open(path, 'rb') as file:
        while at + 16 <= size:
            file.seek(at)
            head = file.read(16)
            if not at and head[4:8] != b'ftyp':
                return False
            length = int.from_bytes(head[:4], 'big')
            if length == 1:
                length = int.from_bytes(head[8:], 'big')
            if length < 8:
                return False  # up to the end of the file, or no box
            at += length
    return at > size


def add_video_stream(
    container: OutputContainer, codec: str, rate: Fraction, options: dict[str, str]
) -> av.VideoStream:
    """Add a stream to a file that is being written. Raises FFmpegError or ValueError.

    Args:
        container: the file.
        codec: FFmpeg's name of the encoder.
        rate: frames a second.
        options: of the encoder.
    """
    stream = container.add_stream(codec, rate=rate, options=options)
    if not isinstance(stream, av.VideoStream):
        raise ValueError(f'{codec} encodes no video')
    return stream


def video_codec(name: str, mode: Literal['r', 'w']) -> av.VideoCodecContext:
    """Return a decoder or an encoder of video. Raises FFmpegError or ValueError.

    Args:
        name: FFmpeg's name of the codec.
        mode: ``r`` for a decoder, ``w`` for an encoder.
    """
    context = av.CodecContext.create(name, mode)
    if not isinstance(context, av.VideoCodecContext):
        raise ValueError(f'{name} is no codec for video')
    return context


def frame_rate(stream: av.VideoStream) -> Fraction:
    """Return a stream's frames a second, 25 where nothing is known of them."""
    measured, guessed = stream.average_rate, stream.guessed_rate
    # Of raw DV, FFmpeg measures the unit of its timestamps.
    if measured and (measured <= _FASTEST or not guessed):
        return measured
    return guessed or Fraction(25)


def time_base(stream: Stream) -> Fraction:
    """Return the unit of the timestamps of a file's stream in seconds."""
    assert stream.time_base is not None
    return stream.time_base
