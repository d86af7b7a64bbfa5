"""Grouping and choosing: invariants over random datasets."""

from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lada.dataset_tools.inventory import Clip, ClipFile
from lada.dataset_tools.split.selection import choose, draw_order, group_by_source

NAMES = st.sampled_from(['a.mp4', 'b.mp4', 'c.mp4', 'd.mp4', 'e.mp4'])
SOURCES = st.sampled_from([None, None, '1' * 64, '2' * 64, '3' * 64])


def clips_of(facts):
    return [
        Clip(f'{i:06d}', name, source, (0, 0), [], ClipFile('', 0))
        for i, (name, source) in enumerate(facts)
    ]


@settings(deadline=None)
@given(st.lists(st.tuples(NAMES, SOURCES), min_size=1, max_size=30))
def test_groups_partition_clips_and_share_nothing(facts):
    groups = group_by_source(clips_of(facts))
    assert sorted(i for group in groups for i in group) == list(range(len(facts)))
    for a, b in combinations(groups, 2):
        assert not {facts[i][0] for i in a} & {facts[i][0] for i in b}
        assert not {facts[i][1] for i in a} & {facts[i][1] for i in b} - {None}


@settings(deadline=None)
@given(st.lists(st.tuples(NAMES, SOURCES), min_size=1, max_size=12))
def test_groups_are_as_small_as_they_can_be(facts):
    """Within a group every clip reaches every other over shared names and hashes."""
    for group in group_by_source(clips_of(facts)):
        reached, frontier = {group[0]}, [group[0]]
        while frontier:
            i = frontier.pop()
            near = {
                j
                for j in group
                if facts[j][0] == facts[i][0] or (facts[i][1] and facts[j][1] == facts[i][1])
            }
            frontier += near - reached
            reached |= near
        assert reached == set(group)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.integers(1, 9), min_size=2, max_size=9), st.data())
def test_choice_is_the_closest_there_is(sizes, data):
    total = sum(sizes)
    want = data.draw(st.integers(1, total - 1))
    order = data.draw(st.permutations(range(len(sizes))))
    got = choose(sizes, order, want, 1, total - 1)
    assert len(set(got)) == len(got)
    sums = {sum(c) for n in range(1, len(sizes)) for c in combinations(sizes, n)}
    best = min(abs(s - want) for s in sums)
    assert abs(sum(sizes[i] for i in got) - want) == best
    assert 1 <= sum(sizes[i] for i in got) < total


def test_one_group_cannot_fill_two_sides():
    with pytest.raises(ValueError, match='no sum'):
        choose([7], [0], 3, 1, 6)


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 40), st.integers(1, 39))
def test_single_clips_follow_the_order(seed, count, want):
    want = min(want, count - 1)
    order = draw_order([[i] for i in range(count)], [f'{i:03d}' for i in range(count)], None, seed)
    assert sorted(order) == list(range(count))
    assert set(choose([1] * count, order, want, 1, count - 1)) == set(order[:want])


def test_order_depends_on_labels_not_on_positions():
    groups, labels = [[0], [1, 2], [3]], ['x', 'y', 'z']
    kinds = [(1, 1), (1, 1), (2, 2), (2, 2)]
    a = [labels[g] for g in draw_order(groups, labels, kinds, 5)]
    groups, labels = [[0], [1], [2, 3]], ['z', 'x', 'y']
    kinds = [(2, 2), (1, 1), (1, 1), (2, 2)]
    assert a == [labels[g] for g in draw_order(groups, labels, kinds, 5)]


@pytest.mark.parametrize('seed', range(5))
def test_kinds_keep_their_shares(seed):
    """Of 1000 clips of three kinds, a tenth holds a tenth of each, give or take two."""
    kinds = [(0, 0)] * 700 + [(1, 0)] * 250 + [(0, 3)] * 50
    order = draw_order([[i] for i in range(1000)], [f'{i:04d}' for i in range(1000)], kinds, seed)
    chosen = Counter(kinds[i] for i in choose([1] * 1000, order, 100, 1, 999))
    assert (
        abs(chosen[0, 0] - 70) <= 2 and abs(chosen[1, 0] - 25) <= 2 and abs(chosen[0, 3] - 5) <= 2
    )
