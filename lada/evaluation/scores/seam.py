"""How visible the edge of a restored region is."""

import cv2
import numpy as np

from lada.evaluation.boxes import bounding_box
from lada.evaluation.scores.clip import ClipReference
from lada.evaluation.scores.masked_mean import MaskedMean
from lada.evaluation.scores.score import Score
from lada.registry import SCORES

SEAM_WIDTH = 4
"""Pixels on either side of the mosaic's edge that count as its seam."""


@SCORES.register_module()
class Seam(Score):
    """Mean absolute error, in grey levels, of the steps between neighbouring pixels at the edge of
    the mosaic; the picture's border is no edge.
    """

    name = 'seam'
    title = 'seam'
    unit = 'levels'
    higher_is_better = False
    meaning = (
        f'mean error of the brightness steps between neighbours within {SEAM_WIDTH} pixels of the'
        " mosaic's edge"
    )

    def measure(self, clip: ClipReference, frames: np.ndarray) -> float:
        steps = MaskedMean()
        for frame, truth, band in zip(frames, clip.gt, clip.once(_bands), strict=True):
            # A step counts when the first of the two pixels lies in the band.
            box = bounding_box(band, margin=1)
            if box is not None:
                error, band = cv2.subtract(frame[box], truth[box], dtype=cv2.CV_16S), band[box]
                steps.add_masked(cv2.absdiff(error[1:], error[:-1]), band[:-1])
                steps.add_masked(cv2.absdiff(error[:, 1:], error[:, :-1]), band[:, :-1])
        return steps.value


def _bands(clip: ClipReference) -> list[np.ndarray]:
    """Return the band around the edge of each mask as bool."""
    kernel = np.ones((2 * SEAM_WIDTH + 1,) * 2, np.uint8)
    return [
        cv2.morphologyEx(
            mask.astype(np.uint8), cv2.MORPH_GRADIENT, kernel, borderType=cv2.BORDER_REPLICATE
        )
        != 0
        for mask in clip.masks
    ]
