"""From a number drawn between 0 and 1 to a value or a choice."""

from collections.abc import Sequence

import numpy as np


def lerp(unit: float, limits: tuple[float, float]) -> float:
    """Return the value at the share ``unit`` of the way between two limits.

    Args:
        unit: 0 to 1.
        limits: the value at 0 and the value at 1.
    """
    low, high = limits
    return float(low + (high - low) * unit)


def chosen(value: float, bounds: np.ndarray | Sequence[float]) -> int:
    """Return the number of the entry that a value falls to.

    Args:
        value: between 0 and the last bound.
        bounds: where the entries end, ascending.
    """
    return min(int(np.searchsorted(bounds, value, side='right')), len(bounds) - 1)
