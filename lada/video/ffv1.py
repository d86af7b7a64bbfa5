"""Checksums of FFV1 (RFC 9043), which the decoder conceals instead of reporting.

A slice ends with its size (3 bytes), a status byte and a checksum that brings the CRC-32 of the
whole slice to zero (section 4.9 of the RFC).
"""

import zlib
from collections.abc import Iterable, Iterator

import av

_FOOTER = 8
# The CRC takes the highest bit first, zlib's the lowest.
_REVERSED_BITS = bytes(int(f'{value:08b}'[::-1], 2) for value in range(256))
_START_AT_ZERO = 0xFFFFFFFF


def slices_are_intact(packet: bytes) -> bool:
    """Tell whether a packet is a sequence of slices with right checksums (a file may also have
    none).
    """
    end = len(packet)
    while end >= _FOOTER:
        start = end - int.from_bytes(packet[end - _FOOTER : end - _FOOTER + 3], 'big') - _FOOTER
        if (
            start < 0
            or zlib.crc32(packet[start:end].translate(_REVERSED_BITS), _START_AT_ZERO)
            != _START_AT_ZERO
        ):
            return False
        end = start
    return end == 0


def verified(packets: Iterable[av.Packet]) -> Iterator[av.Packet]:
    """Pass packets on; raise ``ValueError`` if one fails its checksum in a file that is seen to
    have checksums.
    """
    passed = failed = False
    for packet in packets:
        if packet.size:
            intact = slices_are_intact(bytes(packet))
            passed, failed = passed or intact, failed or not intact
            if passed and failed:
                raise ValueError('wrong checksum')
        yield packet
