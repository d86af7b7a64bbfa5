"""Generators that are a function of a key."""

import numpy as np

from lada.randomness import keyed_rng, philox


def test_a_key_gives_the_same_numbers_again():
    assert philox((1, 2)).random() == philox((1, 2)).random() != philox((2, 1)).random()
    reference = np.random.Generator(np.random.Philox(np.random.SeedSequence((1, 2)))).random(4)
    assert (philox((1, 2)).random(4) == reference).all()


def test_keys_may_hold_any_value():
    assert keyed_rng(42, 'a\udcff.mp4').random() == keyed_rng(42, 'a\udcff.mp4').random()
    assert keyed_rng('ab', 'c').random() != keyed_rng('a', 'bc').random()
    assert keyed_rng('split', 42).integers(2**32) == 125_813_902
