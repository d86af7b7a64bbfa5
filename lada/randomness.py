"""Randomness as a function of a key: the same on every machine, in every process, in any order."""

import hashlib
from collections.abc import Sequence

from numpy.random import Generator, Philox, SeedSequence


def philox(key: int | Sequence[int]) -> Generator:
    """Return a generator that depends on ``key``, whole numbers >= 0, alone.

    Philox is counter-based (Salmon et al., Parallel random numbers: as easy as 1, 2, 3, 2011).
    """
    return Generator(Philox(SeedSequence(key)))


def keyed_rng(*key: object) -> Generator:
    """Return a generator that depends on the text of the values of ``key`` alone."""
    digest = hashlib.sha256('\0'.join(map(str, key)).encode('utf-8', 'surrogateescape')).digest()
    return philox(int.from_bytes(digest[:16], 'little'))
