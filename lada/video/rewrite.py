"""Changing the pictures of a video file and nothing else about it."""

import heapq
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import VideoReformatter

from lada.errors import LadaError
from lada.files import beside
from lada.text import counted, reason
from lada.video.continuing import Beginning
from lada.video.errors import VideoError
from lada.video.picture import Picture
from lada.video.pixel_format import FrameConverter
from lada.video.pyav import frame_rate, open_video, time_base
from lada.video.rehearsal import rehearse
from lada.video.sink import Layout, Sink
from lada.video.timeline import Timeline
from lada.video.writer import CONTAINERS

# AVI holds no timestamps: variable frame rates and reordered pictures are lost.
_TARGETS = [suffix for suffix in CONTAINERS if suffix != '.avi']
_CUT_SHORT = 0.3
"""Seconds by which a file may end before the time it claims."""


class VideoRewriter:
    """Hands out a video's pictures in order and writes them, changed or not, into a new file.

    Timestamps, frame count, aspect ratio, turns and mirroring, field order and colour tags stay;
    audio, subtitles, attachments, chapters and metadata are copied. Entering the block tries the
    output out, so that what it refuses is known before the work. The new file gets its name when
    the block ends without an error; until then, and after an interruption, nothing of it is under
    that name. After an error or an interruption, what was written is in a file of its own
    (:attr:`partial`).

    Args:
        source: the video.
        target: file to write, whose suffix names the container.
        codec: encoder; x264 for 8 bits, x265 for more, VP9 in WebM unless given.
        options: of the encoder, in place of nearly lossless ones.
        compare: a second file with the original on the left of the new picture.
        threads: of decoder and encoders, 0: as many as there are cores.
        resume: begin with the pictures of :attr:`partial` of an earlier run, if there is one.
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
        resume: bool = False,
    ):
        self.source = Path(source)
        self.threads = threads
        self._paths = [Path(target)] + ([Path(compare)] if compare else [])
        self.codec, self.options = codec, options
        self._layouts: list[Layout] = []
        self._sinks: list[Sink] = []
        self._pending: deque[av.Packet] = deque()
        self._stack = ExitStack()
        self._resume = resume
        self._beginning: Beginning | None = None
        self._written = 0
        self._notes: list[str] = []
        self._repaired: list[float] = []
        self._damaged, self._cut = 0, False
        self.partial: Path | None = None
        """Where the pictures are that were written before an error."""

    def __enter__(self) -> 'VideoRewriter':
        for path in self._paths:
            if path.suffix.lower() not in _TARGETS:
                raise VideoError(
                    f'cannot write this kind of video file: {path}; use one of'
                    f' {", ".join(_TARGETS)}'
                )
        for path in self._paths:
            layout, notes = rehearse(self.source, path, self.codec, self.options)
            self._layouts.append(layout)
            self._notes += [note for note in notes if note not in self._notes]
        self.input, self.video = self._stack.enter_context(open_video(self.source, self.threads))
        self._timeline = Timeline(self.input)
        partial = partial_path(self._paths[0])
        if self._resume and partial.exists():
            layout, context = self._layouts[0], self.video.codec_context
            shape = context.height, context.width
            self._beginning = Beginning(partial, layout.encoding, layout.extradata, shape)
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
                    if self._beginning is not None:
                        self._beginning.path.unlink()
                elif self._written > self.done:
                    self._keep_partial()
            finally:
                for sink in self._sinks:
                    sink.discard()

    @property
    def done(self) -> int:
        """How many pictures an earlier run has written, which :meth:`pictures` leaves out."""
        return 0 if self._beginning is None else self._beginning.frames

    @property
    def notes(self) -> list[str]:
        """What is not as it was in the source, one line each; complete at the end."""
        notes = list(self._notes)
        for time, seconds in self._timeline.jumps:
            notes.append(
                f'the time of the input jumps by {float(seconds):+.2f} s at {float(time):.2f} s:'
                ' joined there without a gap'
            )
        if self._damaged:
            notes.append(f'damaged in the input: {counted(self._damaged, "frame")}')
        moved = [time for sink in self._sinks for time in sink.moved]
        moved = sorted({*moved, *self._repaired, *self._timeline.strays})
        if moved:
            notes.append(
                f'{counted(len(moved), "timestamp")} did not increase and'
                f' {"was" if len(moved) == 1 else "were"} moved, first at {moved[0]:.3f} s'
            )
        return notes

    def pictures(self) -> Iterator[Picture]:
        """Yield the pictures in the order they are shown; what lies between them in the file is
        copied on the way.
        """
        reformatter, converter = VideoReformatter(), FrameConverter()
        form = self._layouts[0].encoding.form
        number, shape = 0, None
        times = _Times(self.video, self._repaired)
        packets = self._timeline.steady(self.input.demux())
        beginning: Iterator[av.Packet] | None = None
        try:
            for packet in packets:
                if packet.stream is not self.video:
                    self._copy(packet)
                    continue
                times.see(packet)
                try:
                    frames = packet.decode()
                except FFmpegError:
                    if self._more_follows(packets):
                        raise
                    self._cut = True
                    frames = self.video.decode(None)
                for frame in frames:
                    if not isinstance(frame, av.VideoFrame):
                        continue
                    if shape not in (None, (frame.width, frame.height, frame.format.name)):
                        raise VideoError(
                            f'the frame size or format changes: {self.source}, frame {number}; '
                            're-encode it to one size first'
                        )
                    shape = frame.width, frame.height, frame.format.name
                    self._damaged += frame.is_corrupt
                    time = times.of(frame)
                    if number >= self.done:
                        picture = Picture(frame, reformatter, converter, form)
                        picture.pts = time
                        yield picture
                    else:
                        if beginning is None:
                            assert self._beginning is not None
                            self._open(Picture(frame, reformatter, converter, form))
                            beginning = self._beginning.packets(self._sinks[0].unit, time)
                        self._sinks[0].take(next(beginning))
                        self._written += 1
                    number += 1
        except (FFmpegError, ValueError) as error:
            raise VideoError(
                f'damaged video: {self.source}, at or after frame {number} ({reason(error)});'
                ' replace or re-encode it'
            ) from error
        self._compare_with_claims(times.packets)
        if number < self.done:
            raise VideoError(
                f'{self.done} frames are in the file to continue, {number} in {self.source};'
                ' name the video it was made from'
            )

    def _more_follows(self, packets: Iterator[av.Packet]) -> bool:
        """Tell whether there are further pictures; what else comes until the next is copied."""
        for packet in packets:
            if packet.stream is not self.video:
                self._copy(packet)
            elif packet.size:
                return True
        return False

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
        self._written += 1

    def _compare_with_claims(self, packets: int) -> None:
        """Note where the file holds less than it claims."""
        claimed, duration = self.video.frames, self.input.duration
        complete = packets - self._cut
        if claimed and complete < claimed and not has_decoding_times_only(self.video):
            self._notes.append(
                f'the input is cut short: {complete} of the {claimed} frames it claims'
            )
        elif self._cut:
            self._notes.append('the input is cut short within its last frame')
        elif duration is not None and not self._timeline.jumps:
            start = (self.input.start_time or 0) / av.time_base
            seconds, until = duration / av.time_base, float(self._timeline.end) - start
            if until < seconds - _CUT_SHORT:
                self._notes.append(
                    f'the input is cut short: {until:.2f} s of the {seconds:.2f} s it claims'
                )

    def _open(self, picture: Picture) -> None:
        for number, (path, layout) in enumerate(zip(self._paths, self._layouts, strict=True)):
            planes = picture.planes if number == 0 else picture.beside(picture.planes)
            self._sinks.append(
                Sink(
                    path,
                    self.input,
                    self.video,
                    layout,
                    picture,
                    planes[0].shape,
                    self.threads,
                )
            )
        while self._pending:
            self._copy(self._pending.popleft())

    def _copy(self, packet: av.Packet) -> None:
        if not self._sinks:
            # The file's header needs the first picture.
            self._pending.append(packet)
            return
        for sink in self._sinks:
            sink.copy(packet)

    def _keep_partial(self) -> None:
        """Finish the file with what was written so far, under another name."""
        path = self._paths[0]
        partial = partial_path(path)
        try:
            self._sinks[0].finish()
            self._sinks[0].publish(partial)
        except (LadaError, OSError):
            return  # what failed before matters more
        self.partial = partial


def has_decoding_times_only(video: av.VideoStream) -> bool:
    """Tell whether a file stores when pictures are decoded, not when they are shown."""
    return 'avi' in video.container.format.name.split(',')


def partial_path(path: Path) -> Path:
    """Return the name of the file for what was written before an error."""
    return beside(path, '-partial')


class _Times:
    """The times of pictures in the order they are shown, always increasing.

    Args:
        video: the stream they come from.
        repaired: takes times, in seconds, that had to be moved.
    """

    def __init__(self, video: av.VideoStream, repaired: list[float]):
        self._base = time_base(video)
        self._step = max(1, round(1 / frame_rate(video) / self._base))
        self._repaired = repaired
        # One time for each packet: in the order of showing the pictures have the same times.
        self._decoding_only = has_decoding_times_only(video)
        self._hidden = video.codec_context.name in ('vp8', 'vp9', 'av1')
        self._stamps: list[int] = []
        self.packets = 0
        self._last: int | None = None

    def see(self, packet: av.Packet) -> None:
        """Take note of a packet that is about to be decoded."""
        self.packets += bool(packet.size)
        if not packet.size or packet.dts is None:
            return
        if packet.pts is None and self.packets == 1:
            self._decoding_only = True
        if self._decoding_only and not self._hidden:
            heapq.heappush(self._stamps, packet.dts)

    def of(self, frame: av.VideoFrame) -> int:
        """Return the time of the next picture in the stream's unit."""
        time = frame.pts
        if self._decoding_only and not self._hidden:
            time = heapq.heappop(self._stamps) if self._stamps else None
        if time is None:
            time = 0 if self._last is None else self._last + self._step
        if self._last is not None and time <= self._last:
            self._repaired.append(float(time * self._base))
            time = self._last + 1
        self._last = time
        return time
