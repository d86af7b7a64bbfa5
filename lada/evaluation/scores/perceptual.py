"""What the perceptual scores have in common: the region they see, and the packages they need."""

import importlib
import math
from abc import abstractmethod
from collections.abc import Iterator
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from lada.errors import LadaError
from lada.evaluation.boxes import bounding_box
from lada.evaluation.scores.clip import ClipReference
from lada.evaluation.scores.score import Score

SMALLEST_SIDE = 64
"""Pixels that a network sees at least, in both directions."""
_BATCH = 8


class PerceptualScore(Score):
    """A score over the bounding box of a clip's masks, with a little of what is around it."""

    def measure(self, clip: ClipReference, frames: np.ndarray) -> float:
        together = np.any(clip.masks, axis=0)
        # Small regions are shown with as much around them as a network needs.
        extent = min(int(np.count_nonzero(np.any(together, axis=axis))) for axis in (0, 1))
        box = bounding_box(together, max(8, (SMALLEST_SIDE - extent + 1) // 2))
        if box is None:
            return math.nan
        rows, columns = box
        return self.compare(frames[:, rows, columns], clip.gt[:, rows, columns])

    @abstractmethod
    def compare(self, frames: np.ndarray, gt: np.ndarray) -> float:
        """Return the score of one clip against another, both uint8 RGB (T, H, W, 3)."""


def package(name: str, score: str, install: str) -> ModuleType:
    """Import what a score needs. Raises :class:`LadaError` that says what to install."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise LadaError(
            f'{score} needs the package {name.partition(".")[0]}; run: pip install {install}, or'
            f' leave {score} out'
        ) from error


def pairs(
    frames: np.ndarray, gt: np.ndarray, device: str | torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches (N, 3, H, W) in [0, 1] of two clips (T, H, W, 3) uint8."""
    for start in range(0, len(gt), _BATCH):
        part = slice(start, start + _BATCH)
        yield to_unit(frames[part], device), to_unit(gt[part], device)


def to_unit(frames: np.ndarray, device: str | torch.device) -> Tensor:
    """Return uint8 frames (T, H, W, 3) as (T, 3, H, W) in [0, 1]."""
    moved = torch.from_numpy(np.ascontiguousarray(frames)).to(device)
    return moved.permute(0, 3, 1, 2).float() / 255
