"""Evenly spaced indices."""

from lada.evaluation.spacing import evenly_spaced, spread_over


def test_evenly_spaced():
    assert evenly_spaced(10, 2) == [2, 7] and evenly_spaced(1, 1) == [0]
    assert evenly_spaced(10) == list(range(10)) == evenly_spaced(10, 99)
    assert evenly_spaced(0, 3) == evenly_spaced(3, 0) == []


def test_spread_over():
    assert spread_over('aaabc', 3) == [0, 3, 4]
    assert spread_over('aaabc', 4) == [0, 1, 3, 4]
    assert spread_over('aaaa', 2) == [0, 1] and spread_over('ab', 9) == [0, 1]
    assert spread_over('', 2) == []
    chosen = spread_over([number // 2 for number in range(20)], 2)
    assert chosen == [4, 14]
