"""Trying out an output before the work: its header and a first packet of every stream."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.sidedata.sidedata import Type
from av.stream import Stream
from av.video.reformatter import VideoReformatter

from lada.errors import LadaError
from lada.video.audio import encoder_for
from lada.video.encoding import choose_encoding
from lada.video.errors import VideoError
from lada.video.frames import carried
from lada.video.orientation import display_matrix, orientation_of
from lada.video.picture import Picture
from lada.video.pixel_format import FrameConverter
from lada.video.pyav import FAULTS, open_video
from lada.video.sink import Layout, Sink, is_cover
from lada.video.writer import CONTAINERS

_PACKETS = 3000
"""How far a stream's first packet is looked for."""
_TOLD = {
    Type.MASTERING_DISPLAY_METADATA: 'HDR mastering display',
    Type.CONTENT_LIGHT_LEVEL: 'HDR light level',
    Type.DYNAMIC_HDR_PLUS: 'HDR10+',
    Type.DYNAMIC_HDR_VIVID: 'HDR Vivid',
    Type.DOVI_RPU_BUFFER: 'Dolby Vision',
    Type.AMBIENT_VIEWING_ENVIRONMENT: 'ambient viewing environment',
    Type.A53_CC: 'closed captions',
    Type.STEREO3D: 'stereoscopic layout',
    Type.SPHERICAL: 'spherical projection',
    Type.ICC_PROFILE: 'ICC profile',
    Type.S12M_TIMECODE: 'timecode',
}


@dataclass
class Opening:
    """The beginning of a video: a first picture, and a packet of each other stream that has one."""

    source: InputContainer
    video: av.VideoStream
    frame: av.VideoFrame
    packets: dict[int, av.Packet] = field(default_factory=dict)

    @property
    def others(self) -> list[Stream]:
        """All streams but the video."""
        return [stream for stream in self.source.streams if stream is not self.video]


@contextmanager
def opening_of(path: Path) -> Iterator[Opening]:
    """Read the beginning of a video. Raises :class:`VideoError`, also for one without pictures."""
    with open_video(path) as (source, video):
        frame, packets = None, {}
        wanted = sum(stream.type != 'attachment' for stream in source.streams) - 1
        try:
            for number, packet in enumerate(source.demux()):
                if packet.stream is not video:
                    if packet.size:
                        packets.setdefault(packet.stream.index, packet)
                elif frame is None:
                    frames = packet.decode()
                    frame = frames[0] if frames else None
                if frame is not None and (len(packets) == wanted or number >= _PACKETS):
                    break
        except FAULTS as error:
            raise VideoError(
                f'damaged video: {path}, at its beginning ({error}); replace or re-encode it'
            ) from error
        if not isinstance(frame, av.VideoFrame):
            raise VideoError(f'no frames in the video: {path}; replace the file')
        yield Opening(source, video, frame, packets)


def rehearse(
    source: Path, path: Path, codec: str | None = None, options: dict[str, str] | None = None
) -> tuple[Layout, list[str]]:
    """Find out what of a video a file can hold, by writing its beginning beside the file.

    Audio that the file cannot hold is to be converted, other streams are left out; both are named.
    Raises :class:`VideoError` where the pictures, or how they are turned, cannot be kept.

    Args:
        source: the video.
        path: the file to write.
        codec, options: of the encoder, as for
            :func:`~lada.video.encoding.choose_encoding`.

    Returns what goes into the file, and notes for the user.
    """
    with opening_of(source) as opening:
        layout = _layout(opening, path, codec, options)
        refused = _refused(opening, path, layout)
        audio = {number for number in refused if opening.source.streams[number].type == 'audio'}
        layout.converted, layout.left_out = audio, refused - audio
        kept = _written(opening, path, layout)
        layout.extradata = kept.extradata
        if orientation_of(display_matrix(opening.frame)) != kept.orientation:
            raise VideoError(
                f'{path.suffix} does not keep how the picture is turned: {path};'
                ' use the suffix .mp4, .mov or .mkv'
            )
        notes = [*layout.encoding.notes]
        for stream in opening.others:
            if stream.index in audio:
                advice = _advice(opening, source, path, layout, audio)
                notes.append(
                    f'{_described(stream)} is converted to {encoder_for(stream, path.suffix)}:'
                    f' {path.suffix} does not take it{advice}'
                )
            elif stream.index in refused and stream.type not in kept.more:
                notes.append(f'{_described(stream)} is not copied: {path.suffix} does not take it')
        notes += [f'not kept: {name}' for name in kept.lost]
        return layout, notes


def _layout(
    opening: Opening, path: Path, codec: str | None, options: dict[str, str] | None
) -> Layout:
    encoding = choose_encoding(path, opening.frame, opening.video, codec, options)
    covers = {
        stream.index: bytes(opening.packets[stream.index])
        for stream in opening.others
        if is_cover(stream) and stream.index in opening.packets
    }
    return Layout(encoding, covers=covers)


@dataclass
class _Kept:
    """What a written beginning shows when it is read again."""

    orientation: tuple
    lost: list[str]
    codecs: dict[int, str]
    """Of the other streams that are there, by their number in the source."""
    extradata: bytes | None
    """What decoders are told of the pictures."""
    more: set[str]
    """Types of streams that the container added, such as that of a timecode."""


def _written(opening: Opening, path: Path, layout: Layout) -> _Kept:
    """Write the beginning, read it and remove it."""
    picture = Picture(opening.frame, VideoReformatter(), FrameConverter(), layout.encoding.form)
    picture.pts = 0
    sink = Sink(
        path, opening.source, opening.video, layout, picture, picture.planes[0].shape, threads=1
    )
    try:
        for packet in opening.packets.values():
            times = packet.pts, packet.dts
            packet.pts = packet.dts = 0
            sink.copy(packet)
            packet.pts, packet.dts = times
        sink.encode(picture.to_frame())
        sink.finish()
        return _read_again(opening, sink, layout)
    finally:
        sink.discard()


def _read_again(opening: Opening, sink: Sink, layout: Layout) -> _Kept:
    with open_video(sink.temporary) as (written, video):
        frame = next(written.decode(video), None)
        before, after = opening.frame, frame
        if not isinstance(after, av.VideoFrame):
            raise VideoError(f'cannot read what was written: {sink.path}; use another --codec')
        lost = [
            _TOLD[kind] for kind in carried(before) if kind in _TOLD and kind not in carried(after)
        ]
        if before.interlaced_frame and not after.interlaced_frame:
            lost.append(f'field order ({layout.encoding.codec} codes whole frames)')
        shape = opening.video.sample_aspect_ratio or 1, video.sample_aspect_ratio or 1
        if shape[0] != shape[1]:
            lost.append(f'pixel aspect ratio {shape[0]}')
        streams = [stream for stream in written.streams if stream is not video]
        codecs = {
            number: _codec(stream) or stream.type
            for number, stream in zip(sink.order, streams, strict=False)
        }
        more = {stream.type for stream in streams[len(sink.order) :]}
        return _Kept(
            orientation_of(display_matrix(after)),
            list(dict.fromkeys(lost)),
            codecs,
            video.codec_context.extradata,
            more,
        )


def _refused(opening: Opening, path: Path, layout: Layout) -> set[int]:
    """Return the numbers of the streams that a file does not take. Raises :class:`VideoError` where
    it does not even take the pictures.
    """
    others = {stream.index for stream in opening.others}
    if _takes(opening, path, layout, others):
        return set()
    _written(opening, path, Layout(layout.encoding, others, covers=layout.covers))
    return {number for number in others if not _takes(opening, path, layout, {number})}


def _takes(opening: Opening, path: Path, layout: Layout, wanted: set[int]) -> bool:
    """Tell whether a file takes streams, and shows them as what they are afterwards."""
    others = {stream.index: stream for stream in opening.others}
    tried = Layout(layout.encoding, others.keys() - wanted, covers=layout.covers)
    try:
        kept = _written(opening, path, tried)
    except (LadaError, FFmpegError, OSError, ValueError, KeyError):
        return False
    for number in wanted & opening.packets.keys():
        codec = kept.codecs.get(number)
        if codec is None:
            return False
        if others[number].type == 'audio' and codec != _codec(others[number]):
            return False
    return True


def _advice(opening: Opening, source: Path, path: Path, layout: Layout, audio: set[int]) -> str:
    """Return which suffix would keep the audio as it is, after trying it."""
    for suffix in dict.fromkeys((source.suffix.lower(), '.mkv', '.mov')):
        if suffix in CONTAINERS and suffix not in ('.avi', path.suffix.lower()):
            other = path.with_suffix(suffix)
            if _takes(opening, other, Layout(layout.encoding, covers=layout.covers), audio):
                return f' (a file with the suffix {suffix} does)'
    return ''


def _codec(stream: Stream) -> str | None:
    context = stream.codec_context
    if context is None:
        return None
    # Of a single packet it cannot be told which layer of MPEG audio it is.
    return 'mp3' if context.name.startswith(('mp1', 'mp2', 'mp3')) else context.name


def _described(stream: Stream) -> str:
    name = 'cover picture' if is_cover(stream) else stream.type
    codec = _codec(stream)
    return f'stream {stream.index} ({name}{f", {codec}" if codec else ""})'
