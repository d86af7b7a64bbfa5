"""From a number between 0 and 1 to a value or a choice."""

import numpy as np
import pytest

from lada.mosaic.sampling import chosen, lerp


@pytest.mark.parametrize(('unit', 'value'), [(0, 2), (0.25, 3), (1, 6)])
def test_lerp(unit, value):
    assert lerp(unit, (2, 6)) == value


def test_entries_are_chosen_by_their_share():
    bounds = np.cumsum([0.25, 0.0, 0.75])
    assert [chosen(value, bounds) for value in (0, 0.2499, 0.25, 0.99, 1.0)] == [0, 0, 2, 2, 2]
