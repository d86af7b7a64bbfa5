"""Clips that show what another clip shows already."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from lada.dataset_tools.frame_hashes import BAND_BITS, BANDS, MAX_DISTANCE


class Look(NamedTuple):
    """What a clip looks like: its shot, and the perceptual hashes of a frame at its start and one
    in its middle.
    """

    stem: str
    shot: int
    """First frame of the shot in the source."""
    first: int
    middle: int


class LookIndex:
    """The looks of all clips kept so far.

    Two clips look the same if both hashes differ in at most ``MAX_DISTANCE`` bits. They are found
    by a band of 16 bits that is equal in either hash, which misses none where one of the hashes
    differs in at most three bits.
    """

    def __init__(self) -> None:
        self._looks: list[tuple[str, Look]] = []
        self._bands: dict[tuple[int, int, int], list[int]] = defaultdict(list)

    def match(self, source: str, look: Look) -> str | None:
        """Return the stem of a clip of another shot or source (named by its hash) that looks the
        same, or None.
        """
        for number in {number for band in _bands(look) for number in self._bands.get(band, ())}:
            other_source, other = self._looks[number]
            if (
                (other_source, other.shot) != (source, look.shot)
                and _close(other.first, look.first)
                and _close(other.middle, look.middle)
            ):
                return other.stem
        return None

    def add(self, source: str, looks: Iterable[Look]) -> None:
        """Remember clips of a source."""
        for look in looks:
            for band in _bands(look):
                self._bands[band].append(len(self._looks))
            self._looks.append((source, look))


def _bands(look: Look) -> Iterator[tuple[int, int, int]]:
    for which, value in enumerate((look.first, look.middle)):
        for band in range(BANDS):
            yield which, band, value >> band * BAND_BITS & (1 << BAND_BITS) - 1


def _close(a: int, b: int) -> bool:
    return (a ^ b).bit_count() <= MAX_DISTANCE
