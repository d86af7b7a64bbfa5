"""Changing the pictures of a video file and nothing else about it."""

import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.reformatter import VideoReformatter

from lada.errors import LadaError
from lada.files import temporary_name
from lada.text import reason
from lada.video.errors import VideoError
from lada.video.picture import TAGS, Picture
from lada.video.pixel_format import FrameConverter
from lada.video.pyav import add_video_stream, frame_rate, open_video, time_base
from lada.video.writer import CONTAINERS

# x264 looks 40 frames ahead in this preset and keeps them all; ten are enough where the quality is
# constant.
_QUALITY = {
    'libx264': {'preset': 'medium', 'crf': '15', 'rc-lookahead': '10'},
    'libx265': {'preset': 'medium', 'crf': '18', 'x265-params': 'log-level=error'},
    'libvpx-vp9': {'crf': '24', 'b': '0', 'row-mt': '1', 'deadline': 'good', 'cpu-used': '4'},
}

# AVI holds no timestamps: variable frame rates and reordered pictures are lost.
_TARGETS = [suffix for suffix in CONTAINERS if suffix != '.avi']


class VideoRewriter:
    """Hands out a video's pictures in order and writes them, changed or not, into a new file.

    Timestamps, frame count, aspect ratio, rotation and colour tags stay; audio, subtitles,
    attachments, chapters and metadata are copied without decoding. The new file gets its name when
    the block ends without an error; until then, and after an interruption, nothing of it is under
    that name.

    Args:
        source: the video.
        target: file to write, whose suffix names the container.
        codec: encoder; x264 for 8 bits, x265 for more, VP9 in WebM unless given.
        options: of the encoder, in place of nearly lossless ones.
        compare: a second file with the original on the left of the new picture.
        threads: of decoder and encoders, 0: as many as there are cores.
    """

    def __init__(
        self,
        source: str | Path,
        target: str | Path,
        *,
        codec: str | None = None,
        options: dict[str, str] | None = None,
        compare: str | Path | None = None,
        threads: int = 0,
    ):
        self.source = Path(source)
        self.threads = threads
        self._paths = [Path(target)] + ([Path(compare)] if compare else [])
        self.codec, self.options = codec, options
        self._sinks: list[_Sink] = []
        self._pending: deque[av.Packet] = deque()
        self._stack = ExitStack()
        self.notes: list[str] = []

    def __enter__(self) -> 'VideoRewriter':
        for path in self._paths:
            if path.suffix.lower() not in _TARGETS:
                raise VideoError(
                    f'cannot write this kind of video file: {path}; use one of'
                    f' {", ".join(_TARGETS)}'
                )
        self.input, self.video = self._stack.enter_context(open_video(self.source, self.threads))
        return self

    def __exit__(self, kind, error, traceback) -> None:
        with self._stack:
            try:
                if kind is None:
                    if not self._sinks:
                        raise VideoError(f'no frames in the video: {self.source}; replace the file')
                    for sink in self._sinks:
                        sink.finish()
                    for sink in self._sinks:
                        sink.publish()
            finally:
                for sink in self._sinks:
                    sink.discard()

    def pictures(self) -> Iterator[Picture]:
        """Yield the pictures in the order they are shown; what lies between them in the file is
        copied on the way.
        """
        reformatter, converter = VideoReformatter(), FrameConverter()
        number, last, shape = 0, None, None
        try:
            for packet in self.input.demux():
                if packet.stream is not self.video:
                    self._copy(packet)
                    continue
                for frame in packet.decode():
                    if not isinstance(frame, av.VideoFrame):
                        continue
                    if shape not in (None, (frame.width, frame.height, frame.format.name)):
                        raise VideoError(
                            f'the frame size or format changes: {self.source}, frame {number}; '
                            're-encode it to one size first'
                        )
                    shape = frame.width, frame.height, frame.format.name
                    picture = Picture(frame, reformatter, converter)
                    picture.pts = last = self._time(frame, last)
                    yield picture
                    number += 1
        except (FFmpegError, ValueError) as error:
            raise VideoError(
                f'damaged video: {self.source}, at or after frame {number} ({reason(error)});'
                ' replace or re-encode it'
            ) from error

    def write(self, picture: Picture, original: list[np.ndarray] | None = None) -> None:
        """Encode a picture.

        Args:
            picture: one of :meth:`pictures`, changed or not.
            original: its planes before it was changed, for the file that shows both.
        """
        if not self._sinks:
            self._open(picture)
        self._sinks[0].encode(picture.to_frame())
        if len(self._sinks) > 1:
            self._sinks[1].encode(
                picture.to_frame(picture.beside(picture.planes if original is None else original))
            )

    def _time(self, frame: av.VideoFrame, last: int | None) -> int:
        """The frame's timestamp, or where there is none one a frame duration after the last."""
        if frame.pts is not None and (last is None or frame.pts > last):
            return frame.pts
        if frame.pts is not None:
            raise VideoError(
                f'timestamps do not increase: {self.source} at {float(frame.time or 0):.3f} s;'
                ' remux or re-encode it first'
            )
        step = 1 / frame_rate(self.video) / time_base(self.video)
        return 0 if last is None else last + max(1, round(step))

    def _open(self, picture: Picture) -> None:
        for number, path in enumerate(self._paths):
            planes = picture.planes if number == 0 else picture.beside(picture.planes)
            self._sinks.append(_Sink(path, self, picture, planes[0].shape))
        while self._pending:
            self._copy(self._pending.popleft())

    def _copy(self, packet: av.Packet) -> None:
        if not self._sinks:
            # The file's header needs the first picture.
            self._pending.append(packet)
            return
        for sink in self._sinks:
            sink.copy(packet)


class _Sink:
    """One output file."""

    def __init__(
        self, path: Path, rewriter: VideoRewriter, picture: Picture, shape: tuple[int, int]
    ):
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._temporary = temporary_name(path)
        self._durations: dict[int, int] = {}
        source, video = rewriter.input, rewriter.video
        self._container: OutputContainer = av.open(
            str(self._temporary), 'w', format=CONTAINERS[path.suffix.lower()]
        )
        self._closed = False
        try:
            codec = rewriter.codec or default_codec(path.suffix, picture.depth)
            _check_codec(codec, picture.format, path)
            options = _QUALITY.get(codec, {}) if rewriter.options is None else rewriter.options
            self._video = add_video_stream(self._container, codec, frame_rate(video), dict(options))
            context = self._video.codec_context
            context.height, context.width = shape
            context.pix_fmt = picture.format
            context.time_base = self._video.time_base = time_base(video)
            context.thread_count = rewriter.threads
            for name in TAGS:
                setattr(context, name, picture.tags[name])
            if video.sample_aspect_ratio:
                context.sample_aspect_ratio = video.sample_aspect_ratio
            if codec == 'libx265' and path.suffix.lower() in ('.mp4', '.m4v', '.mov'):
                context.codec_tag = 'hvc1'  # what players of these files look for
            if picture.quarter_turns:
                self._video.set_display_rotation(picture.quarter_turns * 90)
            self._video.metadata.update(video.metadata)
            self._container.metadata.update(source.metadata)
            self._streams = {}
            for stream in source.streams:
                if stream is not video:
                    self._add(stream, rewriter)
            with suppress(FFmpegError, ValueError):
                self._container.set_chapters(source.chapters())
            self._container.start_encoding()
        except (FFmpegError, ValueError, OSError) as error:
            self.discard()
            raise VideoError(
                f'cannot write the video: {path} ({reason(error)}); a file with the suffix '
                f'{rewriter.source.suffix} takes the streams of the input'
            ) from error
        except BaseException:  # an interrupt, too, leaves no file behind
            self.discard()
            raise

    def _add(self, stream, rewriter: VideoRewriter) -> None:
        if stream.type == 'attachment':
            self._container.add_attachment(
                stream.name or 'attachment', stream.mimetype or '', stream.data
            )
        elif stream.type in ('audio', 'subtitle', 'video'):
            copy = self._container.add_stream_from_template(stream)
            copy.time_base = stream.time_base
            copy.metadata.update(stream.metadata)
            copy.disposition = stream.disposition
            self._streams[stream.index] = copy
        else:
            note = f'stream {stream.index} ({stream.type}) is not copied'
            if note not in rewriter.notes:
                rewriter.notes.append(note)

    def encode(self, frame: av.VideoFrame) -> None:
        frame.time_base = self._video.codec_context.time_base
        if frame.pts is not None:
            self._durations[frame.pts] = frame.duration
        self._mux(lambda: self._video.encode(frame))

    def copy(self, packet: av.Packet) -> None:
        stream = self._streams.get(packet.stream.index)
        if stream is None or packet.dts is None:
            return
        original = packet.stream
        packet.stream = stream
        try:
            self._mux(lambda: packet)
        finally:
            packet.stream = original

    def finish(self) -> None:
        self._mux(lambda: self._video.encode(None))
        self._closed = True
        try:
            self._container.close()
            with open(self._temporary, 'rb') as file:
                os.fsync(file.fileno())
        except (FFmpegError, OSError) as error:
            raise self._failure(error) from error

    def publish(self) -> None:
        os.replace(self._temporary, self.path)

    def discard(self) -> None:
        if not self._closed:
            self._closed = True
            with suppress(FFmpegError, OSError, ValueError):
                self._container.close()
        self._temporary.unlink(missing_ok=True)

    def _mux(self, make: Callable[[], list[av.Packet] | av.Packet]) -> None:
        try:
            packets = make()
            for packet in packets if isinstance(packets, list) else [packets]:
                if packet.stream is self._video and packet.pts is not None:
                    packet.duration = self._durations.pop(packet.pts, None) or packet.duration
                self._container.mux(packet)
        except (FFmpegError, OSError) as error:
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> VideoError:
        return VideoError(
            f'cannot write the video: {self.path} ({reason(error)}); check folder, disk space and'
            ' codec'
        )


def default_codec(suffix: str, depth: int) -> str:
    """Return the encoder for a container and a number of bits.

    Args:
        suffix: the file's, with its dot.
        depth: bits of a sample.
    """
    if suffix.lower() == '.webm':
        return 'libvpx-vp9'
    return 'libx264' if depth == 8 else 'libx265'


def _check_codec(codec: str, pix_fmt: str, path: Path) -> None:
    try:
        known = av.Codec(codec, 'w').video_formats or []
    except (FFmpegError, ValueError) as error:
        raise LadaError(f'unknown encoder: {codec}; use libx264, libx265 or libvpx-vp9') from error
    if pix_fmt not in {form.name for form in known}:
        raise LadaError(
            f'{codec} does not take {pix_fmt}: {path}; name another encoder with --codec'
        )
