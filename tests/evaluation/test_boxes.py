"""Bounding boxes of masks."""

import numpy as np

from lada.evaluation.boxes import bounding_box


def test_bounding_box():
    mask = np.zeros((20, 30), bool)
    assert bounding_box(mask) is None
    mask[4:7, 10], mask[5, 27] = True, True
    assert bounding_box(mask) == (slice(4, 7), slice(10, 28))
    assert bounding_box(mask.astype(np.uint8) * 255, margin=5) == (slice(0, 12), slice(5, 30))
    # Near the far edge the box grows to the other side.
    mask[:] = False
    mask[19, 29] = True
    assert bounding_box(mask, smallest=11) == (slice(9, 20), slice(19, 30))
    mask[19, 29], mask[4, 10] = False, True
    assert bounding_box(mask, smallest=11) == (slice(4, 15), slice(10, 21))
