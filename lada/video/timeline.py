"""One run of time for a file whose timestamps jump, as those of joined recordings do."""

from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction

import av
from av.container import InputContainer
from av.format import Flags

from lada.video.pyav import time_base

BACKWARDS = Fraction(1, 10)
"""Seconds by which a stream's decoding time must fall back to count as a jump, as in FFmpeg."""
FORWARDS = 10
"""Seconds without any packet that count as a jump where a format's times may start anew, as in
FFmpeg.
"""
_LOOK_AHEAD = 500  # packets


class Timeline:
    """Passes packets on, the times behind a jump moved so that they follow what was before it.

    A stream's time has jumped when two packets of it in a row lie before the last one, or, in
    formats whose times may start anew (transport streams), far behind everything. The other streams
    go over to the new times where these fit better, since packets of before and after lie mixed
    around a jump. A single packet with a wrong time gets the one it should have.

    Args:
        container: an open file.
    """

    def __init__(self, container: InputContainer):
        self._restarts = bool(container.format.flags & Flags.ts_discont.value)
        self._offsets = [Fraction(0)]
        self._part: dict[int, int] = {}
        self._ends: dict[int, Fraction] = {}
        """When each stream's pictures or sound end, as far as they are known."""
        self._next: dict[int, Fraction] = {}
        """When its next packet is to be decoded."""
        self._last: dict[int, Fraction] = {}
        self._clock: Fraction | None = None
        self.strays: list[float] = []
        """Wrong times of single packets, in seconds."""
        self.end = Fraction(0)
        """Until when there are packets, in seconds."""
        self.jumps: list[tuple[Fraction, Fraction]] = []
        """Where, in seconds of the new time, and by how many seconds the time jumped."""

    def steady(self, packets: Iterable[av.Packet]) -> Iterator[av.Packet]:
        """Yield the packets, with times that do not jump."""
        source, ahead = iter(packets), deque[av.Packet]()
        while True:
            packet = ahead.popleft() if ahead else next(source, None)
            if packet is None:
                return
            if packet.dts is not None:
                self._place(packet, source, ahead)
            offset = self._offsets[self._part.get(packet.stream.index, 0)]
            if offset and (packet.dts is not None or packet.pts is not None):
                ticks = round(offset / time_base(packet.stream))
                packet.dts = None if packet.dts is None else packet.dts + ticks
                packet.pts = None if packet.pts is None else packet.pts + ticks
            yield packet

    def _place(self, packet: av.Packet, source: Iterator, ahead: deque) -> None:
        """Find the part of the file that a packet belongs to."""
        index, base = packet.stream.index, time_base(packet.stream)
        assert packet.dts is not None
        raw = packet.dts * base
        clock = raw if self._clock is None else self._clock
        parts = range(self._part.get(index, 0), len(self._offsets))
        part = min(parts, key=lambda number: abs(raw + self._offsets[number] - clock))
        time = raw + self._offsets[part]
        dense = packet.stream.type in ('video', 'audio')
        if dense and part == len(self._offsets) - 1 and self._jumps(packet, time):
            following = _next_of(packet, source, ahead)
            if (
                following is None
                or following.dts is None
                or self._jumps(following, following.dts * base + self._offsets[part])
            ):
                # What is shown next follows what was shown, but nothing is decoded out of turn.
                shown = raw if packet.pts is None else packet.pts * base
                offset = max(max(self._ends.values()) - shown, self._next[index] - raw)
                self.jumps.append((shown + offset, self._offsets[part] - offset))
                self._offsets.append(offset)
                part, time = len(self._offsets) - 1, raw + offset
            else:
                self.strays.append(float(time))
                shift = self._next[index] - time
                packet.dts += round(shift / base)
                packet.pts = None if packet.pts is None else packet.pts + round(shift / base)
                time += shift
        self._part[index] = part
        length = (packet.duration or 0) * base
        self.end = max(self.end, time + length)
        if dense:
            self._clock = time if self._clock is None else max(self._clock, time)
            self._last[index] = time
            self._next[index] = time + length
            shown = time if packet.pts is None else packet.pts * base + self._offsets[part]
            self._ends[index] = max(shown + length, self._ends.get(index, shown))

    def _jumps(self, packet: av.Packet, time: Fraction) -> bool:
        last = self._last.get(packet.stream.index)
        if last is None or self._clock is None:
            return False
        far = self._restarts and time > max(self._clock, *self._ends.values()) + FORWARDS
        return time < last - BACKWARDS or far


def _next_of(packet: av.Packet, source: Iterator, ahead: deque) -> av.Packet | None:
    """Return the next packet of the same stream, those on the way to it kept for later."""
    for other in ahead:
        if other.stream.index == packet.stream.index:
            return other
    while len(ahead) < _LOOK_AHEAD:
        other = next(source, None)
        if other is None:
            return None
        ahead.append(other)
        if other.stream.index == packet.stream.index and other.size:
            return other
    return None
