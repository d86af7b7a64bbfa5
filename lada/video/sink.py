"""One output file: pictures encoded again, all other streams copied."""

import os
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.stream import Disposition, Stream

from lada.files import temporary_name
from lada.text import reason
from lada.video.audio import AudioConverter, encoder_for, name_layout
from lada.video.encoding import ALPHA_TAG, Encoding, set_up
from lada.video.errors import VideoError
from lada.video.picture import TAGS, Picture
from lada.video.pyav import add_video_stream, frame_rate, time_base
from lada.video.subtitles import TextConverter, form_needed
from lada.video.writer import CONTAINERS

_MP4 = ('.mp4', '.m4v', '.mov')
_LONGEST_WAIT = 86400  # seconds between decoding and showing a picture
_COVER_KINDS = {'mjpeg': ('jpg', 'image/jpeg'), 'png': ('png', 'image/png')}


@dataclass
class Layout:
    """What an output file holds.

    Attributes:
        encoding: of the pictures.
        left_out: numbers of the source's streams that are not copied.
        converted: numbers of its audio streams that are encoded again.
        covers: the data of cover pictures by their stream's number.
        extradata: what decoders are told of the pictures, once a beginning has been written.
    """

    encoding: Encoding
    left_out: Collection[int] = ()
    converted: Collection[int] = ()
    covers: Mapping[int, bytes] = field(default_factory=dict)
    extradata: bytes | None = None


def is_cover(stream: Stream) -> bool:
    """Tell whether a stream is a cover picture instead of a video."""
    return stream.type == 'video' and bool(stream.disposition & Disposition.attached_pic)


class Sink:
    """A file that is being written under a temporary name beside its own.

    Raises :class:`VideoError` for what cannot be written.

    Args:
        path: the file.
        source: open input, whose other streams are copied.
        video: its video stream.
        layout: what goes into the file.
        picture: the first one.
        shape: height and width of the coded pictures.
        threads: of the encoder.
    """

    def __init__(
        self,
        path: Path,
        source: InputContainer,
        video: av.VideoStream,
        layout: Layout,
        picture: Picture,
        shape: tuple[int, int],
        threads: int = 0,
    ):
        self.path, self.temporary = path, temporary_name(path)
        self._layout = layout
        self._durations: dict[int, int] = {}
        self._texts: dict[int, TextConverter] = {}
        self._sounds: dict[int, AudioConverter] = {}
        self._streams: dict[int, Any] = {}
        self._last: dict[int, int] = {}
        self._first: dict[int, tuple[int, int]] = {}
        self._attached: list[int] = []
        self._decoded = -(2**62)
        self.moved: list[float] = []
        """Times, in seconds, of copied packets that had to be moved by a tick or more."""
        self._closed = False
        path.parent.mkdir(parents=True, exist_ok=True)
        self._container: OutputContainer = av.open(
            str(self.temporary), 'w', format=CONTAINERS[path.suffix.lower()]
        )
        try:
            self._video = self._add_video(video, picture, shape, threads)
            self._container.metadata.update(source.metadata)
            for stream in source.streams:
                if stream is not video and stream.index not in layout.left_out:
                    self._add(stream)
            with suppress(FFmpegError, ValueError):
                self._container.set_chapters(source.chapters())
            self._container.start_encoding()
        except (FFmpegError, ValueError, OSError) as error:
            self.discard()
            raise self._failure(error) from error
        except BaseException:  # an interrupt, too, leaves no file behind
            self.discard()
            raise

    def _add_video(
        self, video: av.VideoStream, picture: Picture, shape: tuple[int, int], threads: int
    ) -> av.VideoStream:
        encoding = self._layout.encoding
        stream = add_video_stream(
            self._container, encoding.codec, frame_rate(video), dict(encoding.options)
        )
        context = stream.codec_context
        set_up(context, encoding, shape)
        context.time_base = stream.time_base = time_base(video)
        context.thread_count = threads
        for name in TAGS:
            setattr(context, name, picture.tags[name])
        if video.sample_aspect_ratio:
            context.sample_aspect_ratio = video.sample_aspect_ratio
        context.field_order = encoding.field_order
        if encoding.codec == 'libx265' and self.path.suffix.lower() in _MP4:
            context.codec_tag = 'hvc1'  # what players of these files look for
        stream.set_display_matrix(picture.matrix)
        stream.metadata.update(
            {key: value for key, value in video.metadata.items() if key != ALPHA_TAG}
        )
        stream.disposition = video.disposition
        return stream

    def _add(self, stream: Any) -> None:
        if stream.type == 'attachment':
            self._attach(stream, stream.name or 'attachment', stream.mimetype or '', stream.data)
            return
        if is_cover(stream) and self.path.suffix.lower() == '.mkv':
            # Matroska keeps cover pictures as attachments.
            ending, kind = _COVER_KINDS.get(stream.codec_context.name, ('', ''))
            if not ending:
                raise ValueError(f'a cover picture of kind {stream.codec_context.name}')
            name = stream.metadata.get('filename') or f'cover.{ending}'
            self._attach(stream, name, kind, self._layout.covers[stream.index])
            return
        if stream.codec_context is None and stream.type != 'data':
            raise ValueError(f'{stream.type} of an unknown kind')
        form = form_needed(stream, self.path.suffix) if stream.type == 'subtitle' else None
        if form:
            self._texts[stream.index] = TextConverter(self._container, stream, form)
            copy = self._texts[stream.index].stream
        elif stream.index in self._layout.converted:
            codec = encoder_for(stream, self.path.suffix)
            self._sounds[stream.index] = AudioConverter(self._container, stream, codec)
            copy = self._sounds[stream.index].stream
        else:
            copy = self._container.add_stream_from_template(stream, opaque=True)
            if stream.type == 'audio':
                name_layout(copy)
        if stream.index not in self._sounds:
            copy.time_base = stream.time_base
        copy.metadata.update(stream.metadata)
        copy.disposition = stream.disposition
        self._streams[stream.index] = copy

    def _attach(self, stream: Any, name: str, kind: str, data: bytes) -> None:
        if self.path.suffix.lower() != '.mkv':
            raise ValueError('no attachments')
        added = self._container.add_attachment(name, kind, data)
        self._attached.append(stream.index)
        added.metadata.update(
            {key: value for key, value in stream.metadata.items() if key not in added.metadata}
        )

    @property
    def order(self) -> list[int]:
        """Numbers in the source of the other streams, in the order in which the file shows them."""
        covers = [number for number in self._streams if number in self._layout.covers]
        tracks = [number for number in self._streams if number not in covers]
        return [*tracks, *covers, *self._attached]

    def encode(self, frame: av.VideoFrame) -> None:
        """Encode a frame, whose time is in the source's unit."""
        frame.time_base = self._video.codec_context.time_base
        if frame.pts is not None:
            self._durations[frame.pts] = frame.duration
        self._mux(lambda: self._video.encode(frame))

    def take(self, packet: av.Packet) -> None:
        """Copy a packet of pictures that were encoded before, by the same encoder."""
        self._mux(lambda: [packet])

    @property
    def unit(self) -> Fraction:
        """Of the pictures' timestamps, in seconds."""
        return self._video.codec_context.time_base

    def copy(self, packet: av.Packet) -> None:
        """Copy a packet of another stream; the packet is the same afterwards, but for its time."""
        original = packet.stream
        stream = self._streams.get(original.index)
        if stream is None or not packet.size:
            return
        if packet.dts is None:
            if packet.pts is None and not is_cover(original):
                return
            packet.pts = packet.pts or 0
            packet.dts = self._guessed(packet)
        self._order(packet)
        try:
            self._mux(lambda: self._turned(packet, original.index), stream)
        finally:
            packet.stream = original

    def _guessed(self, packet: av.Packet) -> int:
        """Return when a packet is decoded, of which its file says only when it is shown.

        Matroska does so of the first packets of reordered video, as many as pictures wait for
        others; they are decoded that many pictures earlier.
        """
        assert packet.pts is not None
        stream: Any = packet.stream
        if stream.type != 'video' or is_cover(stream):
            return packet.pts
        first, count = self._first.get(stream.index, (packet.pts, 0))
        self._first[stream.index] = first, count + 1
        wait = stream.codec_context.reorder_depth - count
        return min(packet.pts, first - wait * (packet.duration or 1))

    def _turned(self, packet: av.Packet, index: int) -> list[av.Packet]:
        """Return what of a packet goes into this file, in the form that it takes."""
        if index in self._texts:
            converted = self._texts[index].convert(packet)
            return [] if converted is None else [converted]
        return self._sounds[index].convert(packet) if index in self._sounds else [packet]

    def _order(self, packet: av.Packet) -> None:
        """Move a packet whose decoding time is not behind that of the one before it."""
        index, time = packet.stream.index, packet.dts
        assert time is not None
        least = self._last.get(index, time - 1) + (0 if packet.stream.type == 'subtitle' else 1)
        if time < least:
            self.moved.append(float(time * time_base(packet.stream)))
            packet.dts = least
            packet.pts = max(least, least if packet.pts is None else packet.pts)
        self._last[index] = max(time, least)

    def finish(self) -> None:
        """Write what is left and make the file whole, still under its temporary name."""
        self._mux(lambda: self._video.encode(None))
        for sound in self._sounds.values():
            self._mux(lambda sound=sound: sound.convert(None), sound.stream)
        self._closed = True
        try:
            self._container.close()
            with open(self.temporary, 'rb+') as file:
                os.fsync(file.fileno())
        except (FFmpegError, OSError, ValueError) as error:
            raise self._failure(error) from error

    def publish(self, path: Path | None = None) -> None:
        """Give the finished file its name, or another one."""
        os.replace(self.temporary, path or self.path)

    def discard(self) -> None:
        """Let nothing of an unpublished file remain."""
        if not self._closed:
            self._closed = True
            with suppress(FFmpegError, OSError, ValueError):
                self._container.close()
        self.temporary.unlink(missing_ok=True)

    def _mux(self, make: Callable[[], list[av.Packet]], stream: Stream | None = None) -> None:
        try:
            for packet in make():
                if stream is not None:
                    packet.stream = stream
                elif packet.pts is not None:
                    packet.stream = self._video
                    packet.duration = self._durations.pop(packet.pts, None) or packet.duration
                    _mend(packet)
                    packet.dts = max(packet.dts or 0, self._decoded + 1)
                    self._decoded = packet.dts
                self._container.mux(packet)
        except (FFmpegError, OSError, ValueError) as error:
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> VideoError:
        return VideoError(
            f'cannot write the video: {self.path} ({reason(error)}); check folder, disk space and'
            ' codec'
        )


def _mend(packet: av.Packet) -> None:
    """Give a packet a decoding time where x265 leaves it to chance: in videos of one or two
    pictures.
    """
    assert packet.pts is not None
    wait = None if packet.dts is None else (packet.pts - packet.dts) * packet.time_base
    if wait is None or not 0 <= wait <= _LONGEST_WAIT:
        packet.dts = packet.pts
