"""A sample's randomness as a function of what the sample is."""

from collections.abc import Iterator

from numpy.random import Generator, Philox, SeedSequence


def sample_rng(seed: int, index: int, epoch: int) -> Generator:
    """Return the generator that everything random about one sample draws from.

    It depends on nothing but its arguments (all >= 0), so that a sample is the same for any number
    of workers, ranks and restarts. Philox is counter-based (Salmon et al., Parallel random numbers:
    as easy as 1, 2, 3, 2011).
    """
    return Generator(Philox(SeedSequence((seed, index, epoch))))


def replacements(seed: int, index: int, epoch: int, size: int, count: int = 10) -> Iterator[int]:
    """Yield the clips (< ``size``) to try in turn where clip ``index`` cannot be used; a function
    of its arguments.

    They lie anywhere in the dataset: neighbours tend to be cut from one source and to share its
    damage.
    """
    rng = Generator(Philox(SeedSequence((seed, index, epoch, 1))))
    yield from rng.integers(size, size=count).tolist()
