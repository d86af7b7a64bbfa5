"""What every degradation is tested with."""

import numpy as np
import pytest

from lada.randomness import philox
from lada.video import read_frames


@pytest.fixture(scope='module')
def clip(bunny):
    return np.ascontiguousarray(read_frames(bunny, 0, 6)[:, 200:328, 500:628])


@pytest.fixture
def keeps_contract(clip):
    """Return a check of what all degradations promise; it takes a function from ``p`` to a step."""

    def check(make):
        before, step = clip.copy(), make(1.0)
        one, other, third = (step(clip, philox(seed)) for seed in (1, 1, 2))
        np.testing.assert_array_equal(one, other)
        assert one.shape == clip.shape and one.dtype == np.uint8
        assert (one != clip).any() and (one != third).any()
        np.testing.assert_array_equal(clip, before)
        after = []
        for p in (0.0, 1.0):
            rng = philox(3)
            result = make(p)(clip, rng)
            after.append(rng.random())
            assert (result is clip) == (p == 0)
        assert after[0] == after[1], 'what follows must not depend on the outcome'

    return check
