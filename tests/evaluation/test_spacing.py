"""Evenly spaced indices."""

from lada.evaluation.spacing import evenly_spaced


def test_evenly_spaced():
    assert evenly_spaced(10, 2) == [2, 7] and evenly_spaced(1, 1) == [0]
    assert evenly_spaced(10) == list(range(10)) == evenly_spaced(10, 99)
    assert evenly_spaced(0, 3) == evenly_spaced(3, 0) == []
