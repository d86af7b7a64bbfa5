"""Which groups of clips become the validation set: random, stratified, as close to the count as
whole groups allow.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence

from lada.dataset_tools.inventory import Clip
from lada.dataset_tools.split.manifest import Entry
from lada.randomness import keyed_rng


def group_by_source(clips: Iterable[Clip | Entry]) -> list[list[int]]:
    """Return the clips' numbers in groups that share a source, directly or through others, in order
    of first clips.

    Clips share a source when its content hash or its file name is the same: a re-encoded file of
    the same name shows the same pictures as its original.
    """
    parent: list[int] = []

    def find(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[Hashable, int] = {}
    for number, clip in enumerate(clips):
        parent.append(number)
        for key in (('name', clip.name), ('source', clip.source)):
            if key[1] is not None:
                parent[find(first.setdefault(key, number))] = find(number)
    groups: dict[int, list[int]] = defaultdict(list)
    for number in range(len(parent)):
        groups[find(number)].append(number)
    return list(groups.values())


def draw_order(
    groups: Sequence[Sequence[int]],
    labels: Sequence[str],
    kinds: Sequence[Hashable] | None,
    seed: int,
) -> list[int]:
    """Return the numbers of the groups in the random order in which they are taken.

    With ``kinds``, one per clip, the first groups of the order hold every kind in about its share:
    groups of one most frequent kind are spread evenly over the order. The order depends on the seed
    and the groups' labels alone.
    """
    rng = keyed_rng('split', seed)
    shuffled = sorted(range(len(groups)), key=lambda g: labels[g])
    shuffled = [shuffled[i] for i in rng.permutation(len(shuffled))]
    if kinds is None:
        return shuffled
    main = {
        g: max(sorted(Counter(kinds[i] for i in groups[g]).items()), key=lambda item: item[1])[0]
        for g in shuffled
    }
    total = Counter()
    for g in shuffled:
        total[main[g]] += len(groups[g])
    offset = {kind: rng.random() for kind in sorted(total)}
    before: Counter = Counter()
    place = {}
    for g in shuffled:
        place[g] = (before[main[g]] + offset[main[g]] * len(groups[g])) / total[main[g]]
        before[main[g]] += len(groups[g])
    return sorted(shuffled, key=place.__getitem__)


def choose(sizes: Sequence[int], order: Sequence[int], want: int, low: int, high: int) -> list[int]:
    """Return the numbers of groups whose sizes add up as closely to ``want`` as possible, within
    ``low`` to ``high``.

    Of all such choices one is returned that is close to taking groups in ``order``. Of two sums
    equally close the smaller is met. Raises ValueError if no sum lies in the range.
    """
    by_size: dict[int, list[int]] = defaultdict(list)
    wished: Counter = Counter()
    room = want
    for g in order:
        by_size[sizes[g]].append(g)
        if sizes[g] <= room:
            room -= sizes[g]
            wished[sizes[g]] += 1
    classes = sorted(by_size)
    limit = min(high, max(want, low) + (classes[-1] if classes else 0))
    reachable = _reachable_sums({size: len(by_size[size]) for size in classes}, limit)
    for distance in range(max(want, limit - want, 1) + 1):
        for rest in (want - distance, want + distance):
            if low <= rest <= limit and reachable[-1] >> rest & 1:
                return _counts_to_groups(classes, by_size, wished, reachable, rest)
    raise ValueError(f'no sum of groups lies between {low} and {high}')


def _reachable_sums(counts: dict[int, int], limit: int) -> list[int]:
    """Return, as sets of bits, the sums up to ``limit`` that the first 0, 1, 2, … kinds of sizes
    reach.
    """
    keep = (1 << limit + 1) - 1
    sums = [1]
    for size, count in counts.items():
        reached, step = sums[-1], 1
        count = min(count, limit // size)
        while count > 0:
            step = min(step, count)
            reached |= (reached << size * step) & keep
            count -= step
            step *= 2
        sums.append(reached)
    return sums


def _counts_to_groups(classes, by_size, wished, reachable, rest) -> list[int]:
    """Walk back from a reachable sum, taking of each size a number as close as possible to the
    wished one.
    """
    chosen: list[int] = []
    for position in range(len(classes) - 1, -1, -1):
        size = classes[position]
        most = min(len(by_size[size]), rest // size)
        count = min(
            (n for n in range(most + 1) if reachable[position] >> (rest - n * size) & 1),
            key=lambda n: (abs(n - wished[size]), n),
        )
        chosen += by_size[size][:count]
        rest -= count * size
    return chosen
