"""Clips that show what another clip shows already."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from lada.dataset_tools.frame_hashes import BAND_BITS, BANDS, MAX_DISTANCE


class Fingerprint(NamedTuple):
    """What a clip looks like: its shot, and the perceptual hashes of a frame at its start and one
    in its middle.
    """

    stem: str
    shot: int
    """First frame of the shot in the source."""
    first: int
    middle: int


class FingerprintIndex:
    """The fingerprints of all clips kept so far.

    Two clips look the same if both hashes differ in at most ``MAX_DISTANCE`` bits. They are found
    by a band of 16 bits that is equal in either hash, which misses none where one of the hashes
    differs in at most three bits.
    """

    def __init__(self) -> None:
        self._fingerprints: list[tuple[str, Fingerprint]] = []
        self._bands: dict[tuple[int, int, int], list[int]] = defaultdict(list)

    def match(self, source: str, fingerprint: Fingerprint) -> str | None:
        """Return the stem of a clip of another shot or source that looks the same, or None.

        Args:
            source: hash of the source that the clip is from.
            fingerprint: the clip's.
        """
        for number in {
            number for band in _bands(fingerprint) for number in self._bands.get(band, ())
        }:
            other_source, other = self._fingerprints[number]
            if (
                (other_source, other.shot) != (source, fingerprint.shot)
                and _close(other.first, fingerprint.first)
                and _close(other.middle, fingerprint.middle)
            ):
                return other.stem
        return None

    def add(self, source: str, fingerprints: Iterable[Fingerprint]) -> None:
        """Remember clips of a source."""
        for fingerprint in fingerprints:
            for band in _bands(fingerprint):
                self._bands[band].append(len(self._fingerprints))
            self._fingerprints.append((source, fingerprint))


def _bands(fingerprint: Fingerprint) -> Iterator[tuple[int, int, int]]:
    for which, value in enumerate((fingerprint.first, fingerprint.middle)):
        for band in range(BANDS):
            yield which, band, value >> band * BAND_BITS & (1 << BAND_BITS) - 1


def _close(a: int, b: int) -> bool:
    return (a ^ b).bit_count() <= MAX_DISTANCE
