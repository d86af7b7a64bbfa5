"""What a mosaic looks like, and how looks are drawn at random."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lada.errors import LadaError
from lada.mosaic.sampling import chosen, lerp

MODS = ('squa_avg', 'squa_mid', 'rect_avg')
SIZE_DISTRIBUTIONS = ('uniform', 'loguniform')
MOD_PROBS = {'squa_mid': 0.25, 'squa_avg': 0.30, 'rect_avg': 0.45}


@dataclass(frozen=True)
class MosaicLook:
    """The look of one clip's mosaic. The names are those of public Lada's metadata."""

    mod: str
    """``squa_avg``: square blocks, mean; ``squa_mid``: square blocks, centre pixel; ``rect_avg``:
    wide blocks, mean.
    """
    block_size: int
    """Height of a block in pixels, at least 1."""
    rect_ratio: float = 1.0
    """Width over height of a ``rect_avg`` block, at least 1."""
    feather_size: int = -1
    """Side of the box that softens the mask's edge, in pixels; 0: the block size; -1: none."""

    def __post_init__(self) -> None:
        if self.mod not in MODS:
            raise LadaError(f'unknown mosaic look: {self.mod!r}; use one of {", ".join(MODS)}')
        if self.block_size < 1 or self.rect_ratio < 1 or self.feather_size < -1:
            raise LadaError(
                f'impossible mosaic look: {self}; block_size and rect_ratio are at least 1, '
                'feather_size at least -1'
            )

    @property
    def block_shape(self) -> tuple[int, int]:
        """Height and width of a block in pixels."""
        if self.mod == 'rect_avg':
            return self.block_size, int(self.block_size * self.rect_ratio)
        return self.block_size, self.block_size


def random_look(
    rng: np.random.Generator,
    base_block_size: float,
    *,
    size_scale: tuple[float, float] = (0.7, 2.2),
    mod_probs: Mapping[str, float] = MOD_PROBS,
    rect_ratio_range: tuple[float, float] = (1.1, 1.8),
    feather_prob: float = 0.7,
    feather_scale: tuple[float, float] = (0, 2.5),
    size_distribution: str = 'uniform',
    size_weights: Sequence[float] | None = None,
) -> MosaicLook:
    """Draw a look; every number is uniform between its limits, unless said otherwise.

    Args:
        rng: gives five uniform numbers, whatever the outcome.
        base_block_size: in pixels, see :mod:`lada.mosaic.block_size`.
        size_scale: limits of block size over ``base_block_size``; blocks have at least 2 pixels.
        mod_probs: how likely each kind of block is, by its name (see :class:`MosaicLook`).
        rect_ratio_range: limits of width over height of wide blocks.
        feather_prob: how often the mosaic's edge is feathered, 0 to 1.
        feather_scale: limits of feather size over block size.
        size_distribution: of the block size; ``loguniform``: as many between 3 and 6 pixels as
            between 6 and 12.
        size_weights: how likely each of so many equal parts of the range is, the smallest sizes
            first; parts of the logarithm under ``loguniform``. None: all alike.
    """
    if size_distribution not in SIZE_DISTRIBUTIONS:
        raise LadaError(
            f'unknown size_distribution {size_distribution!r}; use one of'
            f' {", ".join(SIZE_DISTRIBUTIONS)}'
        )
    size, mod, ratio, feathered, feather = rng.random(5)
    if size_weights is not None:
        size = _weighted(size, size_weights)
    names = list(mod_probs)
    bounds = np.cumsum([mod_probs[name] for name in names])
    name = names[chosen(mod * bounds[-1], bounds)]
    if size_distribution == 'loguniform':
        factor = math.exp(lerp(size, (math.log(size_scale[0]), math.log(size_scale[1]))))
    else:
        factor = lerp(size, size_scale)
    block_size = max(2, int(base_block_size * factor))
    return MosaicLook(
        mod=name,
        block_size=block_size,
        rect_ratio=lerp(ratio, rect_ratio_range) if name == 'rect_avg' else 1.0,
        feather_size=int(block_size * lerp(feather, feather_scale))
        if feathered < feather_prob
        else -1,
    )


def _weighted(unit: float, weights: Sequence[float]) -> float:
    """Return the number between 0 and 1 below which the share ``unit`` of all draws lies."""
    if not len(weights) or min(weights) < 0 or not 0 < sum(weights) < math.inf:
        raise LadaError(
            f'impossible size_weights: {list(weights)}; give numbers of at least 0, not all 0'
        )
    bounds = np.cumsum([0.0, *weights])
    return float(np.interp(unit * bounds[-1], bounds, np.linspace(0, 1, len(bounds))))
