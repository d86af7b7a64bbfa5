"""SSIM in the mosaic and of the frame, from one map of local similarities; see
:mod:`lada.evaluation.picture_quality`.
"""

from typing import NamedTuple

import cv2
import numpy as np

from lada.evaluation.boxes import bounding_box
from lada.evaluation.picture_quality import WINDOW, moments, similarity, valid
from lada.evaluation.scores.clip import ClipReference
from lada.evaluation.scores.masked_mean import MaskedMean
from lada.evaluation.scores.score import Score
from lada.registry import SCORES

_GRAY = 128.0
_MARGIN = WINDOW // 2


@SCORES.register_module()
class MosaicSSIM(Score):
    """Structural similarity, mean of its local values over a clip's masked pixels."""

    name = 'ssim_mosaic'
    title = 'SSIM in the mosaic'
    higher_is_better = True
    meaning = 'local structural similarity, mean over all mosaic pixels'
    digits = 4

    def measure(self, clip: ClipReference, frames: np.ndarray) -> float:
        return clip.once_for(frames, _similarities).mosaic


@SCORES.register_module()
class FrameSSIM(Score):
    """Structural similarity of whole frames, mean over a clip's frames."""

    name = 'ssim'
    title = 'SSIM of the frame'
    higher_is_better = True
    meaning = 'mean over frames; mostly pixels that nobody touched'
    digits = 4

    def measure(self, clip: ClipReference, frames: np.ndarray) -> float:
        return clip.once_for(frames, _similarities).frame


class _Similarities(NamedTuple):
    mosaic: float
    frame: float


class _Truth(NamedTuple):
    """A frame of the ground truth with values around 0, and its windowed mean and variance."""

    centred: np.ndarray
    moments: tuple[np.ndarray, np.ndarray]


def _centred(frame: np.ndarray) -> np.ndarray:
    return frame.astype(np.float32) - np.float32(_GRAY)


def _truths(clip: ClipReference) -> list[_Truth]:
    return [_Truth(frame, moments(frame)) for frame in map(_centred, clip.gt)]


def _similarities(clip: ClipReference, frames: np.ndarray) -> _Similarities:
    local, means = MaskedMean(), []
    for frame, gt, mask, truth in zip(frames, clip.gt, clip.masks, clip.once(_truths), strict=True):
        mean, total, count = _similarity(frame, gt, mask, truth)
        means.append(mean)
        local.add(total, count)
    return _Similarities(local.value, float(np.mean(means)))


def _similarity(
    frame: np.ndarray, gt: np.ndarray, mask: np.ndarray, truth: _Truth
) -> tuple[float, float, int]:
    """Return the mean SSIM of a frame, and the sum and number of its local values in the mosaic."""
    mask = valid(mask)
    inside = 3 * int(np.count_nonzero(mask))
    # Where nothing differs within the window, the similarity is 1.
    red, green, blue = cv2.split(cv2.absdiff(frame, gt))
    box = bounding_box(np.bitwise_or(np.bitwise_or(red, green), blue), 2 * _MARGIN, WINDOW)
    if box is None:
        return 1.0, inside, inside
    rows, columns = (slice(part.start, part.stop - 2 * _MARGIN) for part in box)
    mean, variance = truth.moments
    of_truth = mean[rows, columns], variance[rows, columns]
    exact = _centred(frame[box])
    values = similarity(exact, truth.centred[box], moments(exact), of_truth, -_GRAY)
    size = 3 * mask.size
    total = values.sum(dtype=np.float64)
    within = MaskedMean()
    within.add_masked(values, mask[rows, columns])
    return (total + size - values.size) / size, within.total + inside - within.count, inside
