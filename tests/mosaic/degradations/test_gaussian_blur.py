"""Blur."""

import cv2
import numpy as np

from lada.mosaic.degradations.gaussian_blur import GaussianBlur
from lada.randomness import philox


def test_contract(keeps_contract):
    keeps_contract(GaussianBlur)


def test_blur_takes_one_sigma_from_its_range(clip):
    for seed in range(3):
        blurred = GaussianBlur(1, 13, (2, 2))(clip, philox(seed))
        for frame, source in zip(blurred, clip, strict=True):
            np.testing.assert_allclose(
                frame.astype(int), cv2.GaussianBlur(source, (13, 13), 2.0), rtol=0, atol=1
            )
