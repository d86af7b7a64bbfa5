"""From a number drawn between 0 and 1 to a value or a choice."""

from collections.abc import Sequence

import numpy as np


def lerp(unit: float, limits: tuple[float, float]) -> float:
    """Return the value at the share ``unit``, 0 to 1, of the way between two limits."""
    low, high = limits
    return float(low + (high - low) * unit)


def chosen(value: float, bounds: np.ndarray | Sequence[float]) -> int:
    """Return which entry a number falls to; ``bounds``, ascending, are where the entries end."""
    return min(int(np.searchsorted(bounds, value, side='right')), len(bounds) - 1)
