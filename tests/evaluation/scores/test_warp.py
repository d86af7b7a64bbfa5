"""Restorations that do not move along."""

import numpy as np

from lada.evaluation.scores import ClipReference
from lada.evaluation.scores.warp import WarpingError
from lada.video import read_frames


def test_warping_error_follows_the_motion(bikes):
    """On a picture that slides, the truth has no warping error, and a pattern fixed to the screen
    has one.
    """
    picture = read_frames(bikes, 40, 41)[0]
    clean = np.stack([picture[60:188, 100 + 3 * t : 228 + 3 * t] for t in range(4)])
    masks = np.zeros(clean.shape[:3], bool)
    masks[:, 32:96, 32:96] = True
    reference = ClipReference(clean, masks)
    noise = np.random.default_rng(0).integers(-15, 15, clean.shape[1:])
    stuck = np.where(masks[..., None], np.clip(clean + noise, 0, 255), clean).astype(np.uint8)
    error = WarpingError()
    assert error.measure(reference, clean) < 1.5
    assert error.measure(reference, stuck) > 4 * error.measure(reference, clean)
