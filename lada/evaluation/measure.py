"""One predicted clip measured against both baselines: the same numbers while training as
afterwards.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from lada.errors import LadaError
from lada.evaluation.baselines import ClipGrid
from lada.evaluation.frames import field, to_frames, to_masks
from lada.evaluation.results import BICUBIC, CONSISTENT, INPUT, ClipResult
from lada.evaluation.scores import ClipReference, Score


class MeasuredClip(NamedTuple):
    """A clip's scores, and the pictures they were measured on."""

    result: ClipResult
    frames: dict[str, np.ndarray]
    """By restoration, (T, H, W, 3) uint8."""
    gt: np.ndarray
    masks: np.ndarray
    """(T, H, W) bool."""


def measure_clip(
    sample: dict,
    restored: dict[str, np.ndarray],
    scores: Sequence[Score],
    gt_key: str = 'gt_img',
    input_key: str = 'input',
    mask_key: str = 'mosaic_mask',
) -> MeasuredClip:
    """Measure the mosaic input, two interpolations of its blocks
    (:meth:`~lada.evaluation.baselines.ClipGrid.interpolate`) and each of ``restored``, (T, H, W, 3)
    uint8.

    Args:
        sample: a predicted sample with ground truth, input, mask and the metadata of
            :class:`~lada.data.data_sample.DataSample`. Without an upright block grid there is no
            interpolation.
        restored: frames by name.
        scores: what to measure, see :func:`~lada.evaluation.scores.build_scores`.
        gt_key, input_key, mask_key: fields of the sample.
    """
    gt, mosaic = (to_frames(field(sample, key)) for key in (gt_key, input_key))
    masks = to_masks(field(sample, mask_key))
    mosaic = _enlarge(mosaic, gt.shape[1:3])
    shapes = {input_key: mosaic.shape, f'{mask_key} x 3': (*masks.shape, 3)}
    shapes |= {name: clip.shape for name, clip in restored.items()}
    for name, shape in shapes.items():
        if shape != gt.shape:
            raise LadaError(
                f'{name} is {shape} and {gt_key} {gt.shape} (T, H, W, C); check scale and clip'
                ' length'
            )
    frames = {INPUT: mosaic}
    block, origin = sample.get('mosaic_block'), sample.get('mosaic_origin')
    grid = None
    if block is not None and origin is not None:
        grid = ClipGrid(masks, block, origin)
        frames[BICUBIC], frames[CONSISTENT] = grid.interpolate(mosaic)
    frames |= restored
    reference = ClipReference(gt, masks, mosaic, grid)
    result = ClipResult(
        key=str(sample.get('key')),
        frames=len(gt),
        block=block,
        region=float(masks.mean()),
        source=str(sample.get('source') or ''),
        scores={name: reference.measure(clip, scores) for name, clip in frames.items()},
    )
    return MeasuredClip(result, frames, gt, masks)


def _enlarge(frames: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return frames resized by cubic interpolation to ``size`` (height, width), unless they have
    it.
    """
    if frames.shape[1:3] == tuple(size):
        return frames
    return np.stack(
        [cv2.resize(frame, size[::-1], interpolation=cv2.INTER_CUBIC) for frame in frames]
    )
