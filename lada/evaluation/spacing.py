"""Choosing some of many, evenly."""

from collections.abc import Hashable, Sequence


def evenly_spaced(length: int, count: int | None = None) -> list[int]:
    """Return ``count`` evenly spaced indices below ``length``; all of them when ``None`` or more
    than there are.
    """
    count = length if count is None else min(count, length)
    return [(2 * number + 1) * length // (2 * count) for number in range(count)]


def spread_over(groups: Sequence[Hashable], count: int) -> list[int]:
    """Return the indices of ``count`` items, in order, from as many groups as possible.

    Args:
        groups: that each item belongs to.
        count: how many; all of them where there are fewer.
    """
    members: dict[Hashable, list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(group, []).append(index)
    chosen: list[int] = []
    while len(chosen) < count and members:
        names = list(members)
        for number in evenly_spaced(len(names), count - len(chosen)):
            chosen.append(members[names[number]].pop(0))
        members = {name: rest for name, rest in members.items() if rest}
    return sorted(chosen)
