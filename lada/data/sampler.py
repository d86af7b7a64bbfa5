"""What a training run loads, and how it looks: functions of a seed and of a position."""

from collections.abc import Iterator, Sized
from typing import NamedTuple

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from lada.errors import LadaError
from lada.randomness import philox
from lada.registry import DATA_SAMPLERS


class ClipDraw(NamedTuple):
    """One draw of the sampler: clip ``index`` of the dataset as it looks in ``epoch``."""

    index: int
    epoch: int = 0


def sample_rng(seed: int, index: int, epoch: int) -> np.random.Generator:
    """Return the generator that everything random about one sample draws from.

    It depends on nothing but its arguments (all >= 0), so that a sample is the same for any number
    of workers, ranks and restarts.

    Args:
        seed: the dataset's.
        index: the clip's.
        epoch: the draw's.
    """
    return philox((seed, index, epoch))


def replacements(seed: int, index: int, epoch: int, size: int, count: int = 10) -> Iterator[int]:
    """Yield the clips (< ``size``) to try in turn where clip ``index`` cannot be used; a function
    of its arguments.

    They lie anywhere in the dataset: neighbours tend to be cut from one source and to share its
    damage.

    Args:
        seed, index, epoch: of the draw, see :func:`sample_rng`.
        size: number of clips.
        count: how many to yield.
    """
    rng = philox((seed, index, epoch, 1))
    yield from rng.integers(size, size=count).tolist()


@DATA_SAMPLERS.register_module()
class InfiniteSampler(Sampler):
    """Yield :class:`ClipDraw` without end; where it stands is one number.

    Position ``p`` of the stream is entry ``p % size`` of the permutation of epoch ``p // size``,
    which is drawn from (seed, epoch) alone. The stream is the same for every world size ``W``: rank
    ``r`` takes positions ``start + r``, ``start + r + W``, ...

    Each iterator counts for itself. Workers that fetch ahead therefore leave :meth:`state_dict`
    alone; the loop that consumes the batches knows how many samples were used and says so with
    :meth:`skip`, which concerns the iterators made afterwards.

    Args:
        dataset: what is drawn from; only its length is used.
        shuffle: permute each epoch, else keep the dataset's order.
        seed: the same on every rank; None draws one and shares it between the ranks, as MMEngine
            does.
    """

    def __init__(self, dataset: Sized, shuffle: bool = True, seed: int | None = None) -> None:
        self.size = len(dataset)
        if self.size <= 0:
            raise LadaError('sampler: the dataset is empty; check its folder and filters')
        if seed is None:
            seed = sync_random_seed()
        if seed < 0:
            raise LadaError(f'sampler: seed {seed} is negative; use a number >= 0')
        self.rank, self.world_size = get_dist_info()
        self.shuffle = shuffle
        self.seed = int(seed)
        self.consumed = 0

    def __iter__(self) -> Iterator[ClipDraw]:
        position = self.consumed + self.rank
        while True:
            epoch, offset = divmod(position, self.size)
            order = self._order(epoch)
            for index in order[offset :: self.world_size]:
                yield ClipDraw(int(index), epoch)
                position += self.world_size

    def __len__(self) -> int:
        """The number of clips, an epoch over all ranks."""
        return self.size

    def skip(self, num_samples: int) -> None:
        """Let the next iterator start after ``num_samples`` samples, counted over all ranks from
        the very beginning.

        Costs nothing here and one permutation when iterating, however far the jump.
        """
        if num_samples < 0:
            raise LadaError(f'sampler: cannot start at position {num_samples}; use a number >= 0')
        self.consumed = int(num_samples)

    def state_dict(self) -> dict[str, int]:
        """Return ``{'consumed': n}``, the position that was last set."""
        return {'consumed': self.consumed}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continue where ``state`` says."""
        self.skip(state['consumed'])

    def set_epoch(self, epoch: int) -> None:
        """Do nothing: MMEngine calls this on every sampler, and here epochs follow from the
        position.
        """

    def _order(self, epoch: int) -> np.ndarray:
        if not self.shuffle:
            return np.arange(self.size)
        return philox((self.seed, epoch)).permutation(self.size)
