"""Pictures that an earlier run has encoded, to be copied instead of made again."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.bitstream import BitStreamFilterContext

from lada.video.encoding import Encoding
from lada.video.errors import VideoError
from lada.video.pyav import open_video, time_base
from lada.video.reader import count_frames

_USUAL_DELAY = 2  # pictures, of x264 and x265
# Files keep these in another form than encoders write them.
_TO_ENCODERS_FORM = {'h264': 'h264_mp4toannexb', 'hevc': 'hevc_mp4toannexb'}


class Beginning:
    """The video packets of a partial file, in the form in which an encoder writes them.

    Raises :class:`VideoError` for a file that was not written with the same settings.

    Args:
        path: the partial file.
        encoding: of the pictures that follow.
        extradata: what the decoder of those is told, for comparison.
        shape: their height and width.
    """

    def __init__(
        self, path: Path, encoding: Encoding, extradata: bytes | None, shape: tuple[int, int]
    ):
        self.path = path
        self.frames = count_frames(path)
        with open_video(path) as (_, video):
            context = video.codec_context
            self._name, kept = context.name, context.extradata
            same = (context.height, context.width) == shape and context.pix_fmt == encoding.form
        # x265 tells decoders of threads, too; of the others everything has to be the same.
        if same and self._name != 'hevc' and path.suffix.lower() != '.ts':
            same = kept == extradata
        if not same:
            raise VideoError(
                f'written with other settings: {path}; remove it, or repeat them to continue it'
            )
        # The form differs in MP4 and Matroska only, where this starts with a version, 1.
        self._form = _TO_ENCODERS_FORM.get(self._name) if kept and kept[0] == 1 else None

    def packets(self, unit: Fraction, start: int) -> Iterator[av.Packet]:
        """Yield the packets in the order of decoding.

        Args:
            unit: of their timestamps, in seconds.
            start: when the first picture is shown; containers move all times.
        """
        shown = [packet.pts or 0 for packet, _ in self._demux()]
        decoded = _decoding_times(shown, _USUAL_DELAY if self._name in _TO_ENCODERS_FORM else 0)
        first, turn = min(shown), None
        for (packet, video), pts, dts in zip(self._demux(), shown, decoded, strict=True):
            if self._form and turn is None:
                turn = BitStreamFilterContext(self._form, video)
            scale = time_base(video) / unit
            for turned in [packet] if turn is None else turn.filter(packet):
                turned.pts = start + round((pts - first) * scale)
                turned.dts = start + round((dts - first) * scale)
                turned.duration = round((packet.duration or 0) * scale)
                turned.time_base = unit
                yield turned

    def _demux(self) -> Iterator[tuple[av.Packet, av.VideoStream]]:
        with open_video(self.path) as (container, video):
            for packet in container.demux(video):
                if packet.size:
                    yield packet, video


def _decoding_times(shown: list[int], delay: int) -> list[int]:
    """Return increasing decoding times for packets, given when they are shown: files do not keep
    them all.

    Args:
        shown: times in the order of decoding.
        delay: how many pictures lie between decoding and showing, at least.
    """
    ordered = sorted(shown)
    places = {time: place for place, time in enumerate(ordered)}
    delay = max([delay, *(number - places[time] for number, time in enumerate(shown))])
    step = ordered[1] - ordered[0] if len(ordered) > 1 else 1
    before = [ordered[0] - step * number for number in range(delay, 0, -1)]
    return [*before, *ordered][: len(ordered)]
