"""Whether a restoration could be what the mosaic was made from."""

import math

import numpy as np

from lada.evaluation.scores.clip import ClipReference
from lada.evaluation.scores.score import Score
from lada.registry import SCORES


@SCORES.register_module()
class Consistency(Score):
    """Root mean square difference, in grey levels, between the block means of the restoration and
    those of the mosaic. It needs the block grid, and no ground truth.
    """

    name = 'consistency'
    title = 'consistency error'
    unit = 'levels'
    higher_is_better = False
    meaning = 'by how much the means of the blocks differ from what the mosaic shows'

    def measure(self, clip: ClipReference, frames: np.ndarray) -> float:
        if clip.grid is None or clip.mosaic is None:
            return math.nan
        return clip.grid.error(frames, clip.mosaic)
