"""The ground truth of a clip, shared by all scores and all restorations that are measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from lada.evaluation.baselines import ClipGrid
    from lada.evaluation.scores.score import Score

T = TypeVar('T')


class ClipReference:
    """The ground truth of one clip, against which any number of restorations are measured.

    It keeps what scores compute from it, so that this is computed once: for the clip
    (:meth:`once`), or for the restoration that is being measured (:meth:`once_for`).

    Args:
        gt: (T, H, W, 3) uint8 RGB.
        masks: (T, H, W) bool, True in the mosaic.
        mosaic: the clip with the mosaic, of the shape of ``gt``; None where it is of no interest.
        grid: where its blocks lie, None where that is not known.
    """

    def __init__(
        self,
        gt: np.ndarray,
        masks: np.ndarray,
        mosaic: np.ndarray | None = None,
        grid: ClipGrid | None = None,
    ):
        self.gt, self.masks, self.mosaic, self.grid = gt, masks, mosaic, grid
        self._of_clip: dict[Callable, Any] = {}
        self._frames: np.ndarray | None = None
        self._of_frames: dict[Callable, Any] = {}

    def measure(self, frames: np.ndarray, scores: Iterable[Score]) -> dict[str, float]:
        """Return the values of ``scores`` by name, for uint8 frames of the ground truth's shape."""
        if frames.shape != self.gt.shape:
            raise ValueError(
                f'frames of shape {frames.shape} for a ground truth of {self.gt.shape}'
            )
        values = {score.name: float(score.measure(self, frames)) for score in scores}
        self._frames = None
        self._of_frames.clear()
        return values

    def once(self, compute: Callable[[ClipReference], T]) -> T:
        """Return ``compute(self)``, what depends on the clip alone; computed by the first call.

        ``compute`` is a function of a module: the same object at every call.
        """
        if compute not in self._of_clip:
            self._of_clip[compute] = compute(self)
        return self._of_clip[compute]

    def once_for(self, frames: np.ndarray, compute: Callable[[ClipReference, np.ndarray], T]) -> T:
        """Return ``compute(self, frames)``, computed once as long as the same frames are measured.

        ``compute`` is a function of a module: the same object at every call.
        """
        if frames is not self._frames:
            self._frames = frames
            self._of_frames.clear()
        if compute not in self._of_frames:
            self._of_frames[compute] = compute(self, frames)
        return self._of_frames[compute]
