"""How much a restored region flickers."""

import cv2
import numpy as np

from lada.evaluation.scores.clip import ClipReference
from lada.evaluation.scores.masked_mean import MaskedMean
from lada.evaluation.scores.score import Score
from lada.registry import SCORES


@SCORES.register_module()
class Flicker(Score):
    """Mean absolute change of the error from frame to frame, in grey levels, over pixels that both
    masks hold.
    """

    name = 'flicker'
    title = 'flicker'
    unit = 'levels'
    higher_is_better = False
    meaning = 'mean change from frame to frame that the ground truth does not have, in the mosaic'

    def measure(self, clip: ClipReference, frames: np.ndarray) -> float:
        changes = MaskedMean()
        error_before, mask_before = None, None
        for frame, truth, mask in zip(frames, clip.gt, clip.masks, strict=True):
            error = cv2.subtract(frame, truth, dtype=cv2.CV_16S)
            if error_before is not None and mask_before is not None:
                changes.add_masked(cv2.absdiff(error, error_before), mask & mask_before)
            error_before, mask_before = error, mask
        return changes.value
