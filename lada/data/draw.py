"""Which clip to load, and which of its random versions."""

from typing import NamedTuple


class ClipDraw(NamedTuple):
    """One draw of the sampler: clip ``index`` of the dataset as it looks in ``epoch``."""

    index: int
    epoch: int = 0
