"""Writing videos: complete under their name, or not at all."""

import os
from collections.abc import Iterable
from contextlib import suppress
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from lada.files import temporary_name
from lada.text import reason
from lada.video.colour import rgb_to_yuv444p
from lada.video.errors import VideoError
from lada.video.pixel_format import ACCURATE, yuv420p_frame
from lada.video.pyav import add_video_stream

CONTAINERS = {
    '.mp4': 'mp4',
    '.m4v': 'mp4',
    '.mov': 'mov',
    '.mkv': 'matroska',
    '.webm': 'webm',
    '.avi': 'avi',
    '.ts': 'mpegts',
}
"""FFmpeg's name of the format for a file's suffix."""
_BT709 = 1  # the number of BT.709 as matrix, primaries and transfer alike (ITU-T H.273)


def clip_encoding() -> dict[str, Any]:
    """Arguments of :class:`VideoWriter` for clips: visually lossless x264 for quick random access.

    Short groups of pictures and no B-frames, so that any frame is at most eleven decodes away; no
    arithmetic coding and no deblocking, which spares the decoder work for a slightly larger file.
    """
    options = {
        'preset': 'veryfast',
        'tune': 'fastdecode',
        'crf': '12',
        'g': '12',
        'bf': '0',
        'sc_threshold': '0',
        'x264-params': 'mbtree=0',
    }
    return {'codec': 'libx264', 'options': options}


def mask_encoding() -> dict[str, Any]:
    """Arguments of :class:`VideoWriter` for masks (.mkv): lossless FFV1 version 3, gray, only
    keyframes.
    """
    options = {'level': '3', 'g': '1', 'slices': '4', 'slicecrc': '1'}
    return {'codec': 'ffv1', 'options': options, 'pix_fmt': 'gray'}


class VideoWriter:
    """Context manager that encodes frames into a file.

    The file gets its name, durably, when the block ends without an error; otherwise nothing of it
    remains. Frames are uint8, (H, W, 3) RGB or (H, W) gray, all of one size. Colour is written and
    tagged as BT.709, limited range; gray as full range. Raises :class:`VideoError`.

    Args:
        path: file to write; its suffix names the container, see :data:`CONTAINERS`.
        fps: frames a second.
        codec: FFmpeg's name of the encoder.
        options: of the encoder.
        pix_fmt: pixel format; None: gray for gray frames in FFV1, otherwise 4:2:0 for even sizes
            and 4:4:4 for odd ones.
        threads: of the encoder, 0 for as many as there are cores.
    """

    def __init__(
        self,
        path: str | Path,
        fps: Fraction | float,
        *,
        codec: str = 'libx264',
        options: dict[str, str] | None = None,
        pix_fmt: str | None = None,
        threads: int = 1,
    ):
        self.path = Path(path)
        self._fps = fps if isinstance(fps, Fraction) else Fraction(fps).limit_denominator(1001)
        self._codec, self._options = codec, dict(options or {})
        self._pix_fmt, self._threads = pix_fmt or '', threads
        self._temporary = temporary_name(self.path)
        self._container: OutputContainer | None = None
        self._stream: av.VideoStream | None = None
        self._shape: tuple[int, ...] | None = None
        self._reformatter = VideoReformatter()
        self.frames_written = 0
        if self._fps <= 0:
            raise VideoError(f'the frame rate must be positive: {fps} for {self.path}')
        if self.path.suffix.lower() not in CONTAINERS:
            raise VideoError(
                f'unknown kind of video file: {self.path}; use one of {", ".join(CONTAINERS)}'
            )

    def __enter__(self) -> 'VideoWriter':
        return self

    def __exit__(self, kind, error, traceback) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._abandon()
            self._temporary.unlink(missing_ok=True)

    def write(self, frame: np.ndarray) -> None:
        """Append one frame."""
        if frame.dtype != np.uint8 or not (
            frame.ndim == 2 or (frame.ndim == 3 and frame.shape[2] == 3)
        ):
            raise ValueError(
                f'a frame must be uint8 (H, W, 3) or (H, W), not {frame.dtype} {frame.shape}'
            )
        if self._shape is None:
            self._start(frame)
        elif frame.shape != self._shape:
            raise VideoError(
                f'frames of different sizes: {self.path}, {frame.shape} after {self._shape}'
            )
        try:
            picture = self._picture(np.ascontiguousarray(frame))
            picture.pts = self.frames_written
            picture.time_base = 1 / self._fps
            self._encode(picture)
        except (FFmpegError, OSError) as error:
            raise self._failure(error) from error
        self.frames_written += 1

    def _start(self, frame: np.ndarray) -> None:
        height, width = frame.shape[:2]
        odd = height % 2 or width % 2
        if not self._pix_fmt:
            if frame.ndim == 2 and self._codec == 'ffv1':
                self._pix_fmt = 'gray'
            else:
                self._pix_fmt = 'yuv444p' if odd else 'yuv420p'
        if self._pix_fmt == 'gray' and frame.ndim != 2:
            raise VideoError(f'colour frames for a gray video: {self.path}; pass (H, W) frames')
        if odd and '420' in self._pix_fmt:
            raise VideoError(
                f'an odd size for {self._pix_fmt}: {self.path} would be {width}x{height}; '
                'use even sizes or pix_fmt yuv444p'
            )
        try:
            self._container = av.open(
                str(self._temporary), 'w', format=CONTAINERS[self.path.suffix.lower()]
            )
            stream = add_video_stream(self._container, self._codec, self._fps, self._options)
            context = stream.codec_context
            context.width, context.height, context.pix_fmt = width, height, self._pix_fmt
        except (FFmpegError, OSError, ValueError) as error:
            raise self._failure(error) from error
        context.time_base = 1 / self._fps
        context.thread_count = self._threads
        if self._pix_fmt == 'gray':
            context.color_range = int(ColorRange.JPEG)
        elif 'yuv' in self._pix_fmt:
            context.color_range = int(ColorRange.MPEG)
            context.colorspace = context.color_primaries = context.color_trc = _BT709
        self._stream, self._shape = stream, frame.shape

    def _picture(self, frame: np.ndarray) -> av.VideoFrame:
        if self._pix_fmt == 'gray':
            picture = av.VideoFrame.from_ndarray(frame, 'gray')
            picture.color_range = int(ColorRange.JPEG)
            return picture
        if frame.ndim == 2:
            frame = cv2.cvtColor(frame, cv2.COLOR_GRAY2RGB)
        if self._pix_fmt == 'yuv420p':
            picture = yuv420p_frame(frame)
        elif self._pix_fmt == 'yuv444p':
            picture = av.VideoFrame.from_ndarray(rgb_to_yuv444p(frame), 'yuv444p')
        else:
            picture = av.VideoFrame.from_ndarray(frame, 'rgb24')
            if 'yuv' in self._pix_fmt:
                picture = self._reformatter.reformat(
                    picture,
                    format=self._pix_fmt,
                    dst_colorspace=Colorspace.ITU709,
                    dst_color_range=ColorRange.MPEG,
                    interpolation=ACCURATE,
                    threads=1,
                )
        if 'yuv' in self._pix_fmt:
            picture.color_range = int(ColorRange.MPEG)
            picture.colorspace = picture.color_primaries = picture.color_trc = _BT709
        return picture

    def _encode(self, picture: av.VideoFrame | None) -> None:
        assert self._container is not None and self._stream is not None
        self._container.mux(self._stream.encode(picture))

    def _finish(self) -> None:
        if self._container is None:
            raise VideoError(f'no frames to write: {self.path}')
        try:
            self._encode(None)
            container, self._container = self._container, None
            container.close()
            with open(self._temporary, 'rb+') as file:
                os.fsync(file.fileno())
            os.replace(self._temporary, self.path)
        except (FFmpegError, OSError) as error:
            raise self._failure(error) from error

    def _abandon(self) -> None:
        container, self._container = self._container, None
        if container is None:
            return
        # The file is removed anyway; the error that brought us here matters more.
        with suppress(FFmpegError, OSError, ValueError):
            container.close()

    def _failure(self, error: Exception) -> VideoError:
        return VideoError(
            f'cannot write the video: {self.path} ({self._codec}, {self._pix_fmt}: '
            f'{reason(error)}); check folder, disk space and codec'
        )


def write_video(
    path: str | Path,
    frames: Iterable[np.ndarray],
    fps: Fraction | float,
    *,
    codec: str = 'libx264',
    options: dict[str, str] | None = None,
    pix_fmt: str | None = None,
    threads: int = 1,
) -> None:
    """Write all ``frames`` with a :class:`VideoWriter`.

    Args:
        path, fps, codec, options, pix_fmt, threads: see :class:`VideoWriter`.
        frames: uint8, (H, W, 3) RGB or (H, W) gray.
    """
    with VideoWriter(
        path, fps, codec=codec, options=options, pix_fmt=pix_fmt, threads=threads
    ) as writer:
        for frame in frames:
            writer.write(frame)


def encode_animation(frames: np.ndarray, fps: Fraction | float) -> bytes:
    """Return frames as an animated PNG that repeats, which browsers show like any picture.

    Args:
        frames: (T, H, W, 3) uint8 RGB.
        fps: frames a second.
    """
    buffer = BytesIO()
    with av.open(buffer, 'w', format='apng', options={'plays': '0'}) as container:
        stream = container.add_stream(
            'apng', rate=Fraction(fps).limit_denominator(1001), options={'pred': 'mixed'}
        )
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = 'rgb24'
        for frame in frames:
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), 'rgb24'))
            )
        container.mux(stream.encode(None))
    return buffer.getvalue()
