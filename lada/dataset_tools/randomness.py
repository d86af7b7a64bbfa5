"""Randomness as a function of a key."""

import hashlib

import numpy as np


def keyed_rng(*key: object) -> np.random.Generator:
    """Return a generator that depends on the values of ``key`` alone, on every machine and in every
    process.
    """
    digest = hashlib.sha256('\0'.join(map(str, key)).encode('utf-8', 'surrogateescape')).digest()
    return np.random.Generator(
        np.random.Philox(np.random.SeedSequence(int.from_bytes(digest[:16], 'little')))
    )
