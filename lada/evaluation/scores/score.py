"""What a score is."""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from lada.evaluation.scores.clip import ClipReference


class Score(ABC):
    """A number by which the restoration of a clip is judged.

    A subclass that is registered in :data:`lada.registry.SCORES` is measured where a config names
    it: ``dict(type='MosaicGain', scores=[dict(type='MyScore')])``. Tables, reports and comparisons
    take what they say about it from its attributes.
    """

    name: ClassVar[str]
    """Key in ``evaluation.json``, the CSV file and the training log."""
    title: ClassVar[str]
    """What tables call it."""
    unit: ClassVar[str] = ''
    """``''``: none."""
    higher_is_better: ClassVar[bool]
    meaning: ClassVar[str]
    """Half a sentence for the report."""
    digits: ClassVar[int] = 2
    """Decimals in tables."""

    @abstractmethod
    def measure(self, clip: ClipReference, frames: np.ndarray) -> float:
        """Return the score of a restored clip, ``nan`` where the clip has none.

        Args:
            clip: the ground truth, the masks, and what other scores have computed from them.
            frames: uint8 RGB of the ground truth's shape (T, H, W, 3).
        """
