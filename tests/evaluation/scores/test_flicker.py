"""Errors that change from frame to frame."""

import numpy as np


def test_flicker_ignores_errors_that_stay(measure, clip):
    clean, _, masks = clip
    inside = (masks != 0)[..., None]
    rng = np.random.default_rng(0)

    def disturbed(offset):
        return np.where(inside, np.clip(clean + offset, 0, 255), clean).astype(np.uint8)

    still = disturbed(rng.integers(-20, 20, clean.shape[1:]))
    jumping = disturbed(rng.integers(-20, 20, clean.shape))
    assert measure(jumping)['flicker'] > 10 * measure(still)['flicker']
