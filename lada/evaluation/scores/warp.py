"""Whether a restored region moves as the ground truth does.

W.-S. Lai et al., "Learning Blind Video Temporal Consistency", ECCV 2018; here as mean absolute
error.
"""

from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np

from lada.evaluation.boxes import Slices, bounding_box
from lada.evaluation.scores.clip import ClipReference
from lada.evaluation.scores.masked_mean import MaskedMean
from lada.evaluation.scores.score import Score
from lada.registry import SCORES

_OCCLUSION = 1.5  # pixels by which the flow there and back may miss


@SCORES.register_module()
class WarpingError(Score):
    """Mean absolute change, in grey levels, of the masked pixels along the ground truth's motion;
    pixels that are covered or uncovered do not count.
    """

    name = 'warp'
    title = 'warping error'
    unit = 'levels'
    higher_is_better = False
    meaning = (
        "mean change along the ground truth's motion, in the mosaic, where nothing is covered or"
        ' uncovered'
    )

    def measure(self, clip: ClipReference, frames: np.ndarray) -> float:
        changes = MaskedMean()
        for (before, now), motion in zip(pairwise(frames), clip.once(_motions), strict=True):
            if motion is not None:
                moved = _sample(before, motion.place)
                changes.add_masked(cv2.absdiff(now[motion.box], moved), motion.visible)
        return changes.value


class _Motion(NamedTuple):
    """The ground truth's motion within the bounding box of a mask."""

    box: Slices
    place: np.ndarray
    """(h, w, 2) float32: where (x, y) each pixel was in the frame before."""
    visible: np.ndarray
    """(h, w) bool: masked, and seen in the frame before."""


def _motions(clip: ClipReference) -> list[_Motion | None]:
    return [
        _motion(now, before, mask)
        for (before, now), mask in zip(pairwise(clip.gt), clip.masks[1:], strict=True)
    ]


def _motion(now: np.ndarray, before: np.ndarray, mask: np.ndarray) -> _Motion | None:
    """Return the motion between two frames, ``None`` where nothing is masked.

    A pixel counts as visible when the flow there and the flow back from there cancel.
    """
    box = bounding_box(mask)
    if box is None:
        return None
    gray_now, gray_before = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (now, before))
    there, back = _flow(gray_now, gray_before)[box], _flow(gray_before, gray_now)
    rows, columns = box
    grid_x, grid_y = np.meshgrid(
        np.arange(columns.start, columns.stop), np.arange(rows.start, rows.stop)
    )
    place = there + np.dstack([grid_x, grid_y]).astype(np.float32)
    missed = there + _sample(back, place)
    x, y = place[..., 0], place[..., 1]
    height, width = mask.shape
    inside = (x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1)
    near = missed[..., 0] ** 2 + missed[..., 1] ** 2 <= _OCCLUSION**2
    return _Motion(box, place, mask[box] & inside & near)


def _flow(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return by how much (x, y), float32 (H, W, 2), each pixel of ``a`` lies elsewhere in ``b``."""
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    # OpenCV's stubs do not know that the flow to start from may be missing.
    return flow.calc(a, b, None)  # pyright: ignore[reportCallIssue, reportArgumentType]


def _sample(image: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Return the values of an image at the places (h, w, 2), bilinearly."""
    # OpenCV's stubs do not know that one map may hold both coordinates.
    return cv2.remap(  # pyright: ignore[reportCallIssue]
        image,
        place,
        None,  # pyright: ignore[reportArgumentType]
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
