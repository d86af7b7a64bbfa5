"""Whether a restoration could be what the mosaic was made from."""

import numpy as np
import pytest

from lada.evaluation.baselines import ClipGrid
from lada.evaluation.scores import ClipReference
from lada.evaluation.scores.consistency import Consistency


def test_the_means_of_blocks_count(clip):
    clean, mosaic, masks = clip
    grid = ClipGrid(masks, (8, 8), np.zeros((len(masks), 2)))
    reference = ClipReference(clean, masks != 0, mosaic, grid)

    def error(frames):
        return reference.measure(frames, [Consistency()])['consistency']

    assert error(mosaic) == 0
    assert error(clean) < 0.5
    brighter = np.clip(mosaic, 0, 250) + np.uint8(5)
    assert error(brighter) == pytest.approx(5, abs=0.3)
    untouched = mosaic.copy()
    untouched[masks == 0] = 0
    assert error(untouched) == 0
