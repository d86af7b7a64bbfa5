"""Choosing some of many, evenly."""


def evenly_spaced(length: int, count: int | None = None) -> list[int]:
    """Return ``count`` evenly spaced indices below ``length``; all of them when ``None`` or more
    than there are.
    """
    count = length if count is None else min(count, length)
    return [(2 * number + 1) * length // (2 * count) for number in range(count)]
