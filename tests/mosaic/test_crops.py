"""Geometry of crops."""

import numpy as np

from lada.mosaic.crops import smoothed, square_padding


def test_smoothing_keeps_what_stands_still_and_repeats_the_ends():
    still = np.tile([3.5, 7.0], (20, 1))
    assert np.array_equal(smoothed(still, 8), still)
    path = np.array([[0.0, 0], [3, 6], [6, 0]])
    assert np.allclose(smoothed(path, 1), [[1, 2], [3, 2], [5, 2]])


def test_padding_centres():
    assert square_padding((5, 8), 8) == (1, 2, 0, 0)
