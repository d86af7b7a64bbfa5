"""Everything measured on one clip, in one pass that shares what depends on the ground truth
alone.
"""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from lada.evaluation.metrics.functional import WINDOW, moments, psnr_of_mse, similarity, valid

MAX_PSNR = 100.0
"""dB of what was restored without any error, so that sums stay finite."""
SEAM_WIDTH = 4
"""Pixels on either side of the mosaic's edge that count as its seam."""
PERCEPTUAL_SIDE = 64
"""Pixels that a perceptual distance sees at least, in both directions."""
_GRAY = 128.0
_OCCLUSION = 1.5  # pixels by which the flow there and back may miss


@dataclass(frozen=True)
class Score:
    """A number by which restorations are judged."""

    name: str
    title: str
    unit: str
    higher_is_better: bool
    meaning: str


SCORES = (
    Score(
        'psnr_mosaic',
        'PSNR in the mosaic',
        'dB',
        True,
        'from the mean squared error over all mosaic pixels',
    ),
    Score(
        'ssim_mosaic',
        'SSIM in the mosaic',
        '',
        True,
        'local structural similarity, mean over all mosaic pixels',
    ),
    Score(
        'psnr',
        'PSNR of the frame',
        'dB',
        True,
        'mean over frames; mostly pixels that nobody touched',
    ),
    Score(
        'ssim', 'SSIM of the frame', '', True, 'mean over frames; mostly pixels that nobody touched'
    ),
    Score(
        'seam',
        'seam',
        'levels',
        False,
        f'mean error of the brightness steps between neighbours within {SEAM_WIDTH} pixels of the'
        " mosaic's edge",
    ),
    Score(
        'warp',
        'warping error',
        'levels',
        False,
        "mean change along the ground truth's motion, in the mosaic, where nothing is covered or"
        ' uncovered',
    ),
    Score(
        'flicker',
        'flicker',
        'levels',
        False,
        'mean change from frame to frame that the ground truth does not have, in the mosaic',
    ),
    Score(
        'lpips', 'LPIPS', '', False, "learned perceptual distance over the mosaic's bounding box"
    ),
)


class ClipReference:
    """The ground truth of one clip, against which any number of restorations are measured.

    Args:
        gt: (T, H, W, 3) uint8 RGB.
        masks: (T, H, W) bool, True in the mosaic.
        perceptual: distance of two clips (T, H, W, 3) uint8, LPIPS for example; left out when
            ``None``.
    """

    def __init__(self, gt: np.ndarray, masks: np.ndarray, perceptual=None):
        self.gt, self.masks, self.perceptual = gt, masks, perceptual
        self._centred = [_centred(frame) for frame in gt]
        self._moments = [moments(frame) for frame in self._centred]
        self._seams = [_seam(mask) for mask in masks]
        self._motion = [_motion(*pair) for pair in zip(gt[1:], gt[:-1], masks[1:], strict=True)]

    def measure(self, frames: np.ndarray) -> dict[str, float]:
        """Return the values of :data:`SCORES` for uint8 frames of the ground truth's shape.

        ``nan`` stands where a clip has no such value. PSNR is at most 100 dB, also that of a single
        frame.
        """
        if frames.shape != self.gt.shape:
            raise ValueError(
                f'frames of shape {frames.shape} for a ground truth of {self.gt.shape}'
            )
        psnrs, ssims = [], []
        squares, local, seams, warped, flickers = (_Mean() for _ in range(5))
        before = None
        for number, (frame, truth, mask) in enumerate(
            zip(frames, self.gt, self.masks, strict=True)
        ):
            psnrs.append(
                min(psnr_of_mse(cv2.norm(frame, truth, cv2.NORM_L2SQR) / frame.size), MAX_PSNR)
            )
            inside = mask.astype(np.uint8)
            squares.add(
                cv2.norm(frame, truth, cv2.NORM_L2SQR, inside), 3 * cv2.countNonZero(inside)
            )
            similar, within, count_within = self._similarity(frame, number)
            ssims.append(similar)
            local.add(within, count_within)
            error = cv2.subtract(frame, truth, dtype=cv2.CV_16S)
            _add_steps(seams, error, self._seams[number])
            if before is not None:
                flickers.add_masked(cv2.absdiff(error, before), mask & self.masks[number - 1])
                if (motion := self._motion[number - 1]) is not None:
                    moved = cv2.remap(
                        frames[number - 1],
                        motion.place,
                        None,
                        cv2.INTER_LINEAR,
                        borderMode=cv2.BORDER_REPLICATE,
                    )
                    warped.add_masked(cv2.absdiff(frame[motion.box], moved), motion.visible)
            before = error
        mse = squares.value
        scores = {
            'psnr_mosaic': min(psnr_of_mse(mse), MAX_PSNR) if mse == mse else np.nan,
            'ssim_mosaic': local.value,
            'psnr': float(np.mean(psnrs)),
            'ssim': float(np.mean(ssims)),
            'seam': seams.value,
            # W.-S. Lai et al., "Learning Blind Video Temporal Consistency", ECCV 2018, as mean
            # absolute error.
            'warp': warped.value,
            'flicker': flickers.value,
        }
        if self.perceptual is not None:
            scores['lpips'] = self._perceptual_distance(frames)
        return scores

    def _similarity(self, frame: np.ndarray, number: int) -> tuple[float, float, int]:
        """Return the mean SSIM of a frame, and the sum and number of its local values in the
        mosaic.
        """
        mask = valid(self.masks[number])
        inside = 3 * int(np.count_nonzero(mask))
        margin = WINDOW // 2
        # Where nothing differs within the window, the similarity is 1.
        red, green, blue = cv2.split(cv2.absdiff(frame, self.gt[number]))
        box = _box(red | green | blue, 2 * margin, WINDOW)
        if box is None:
            return 1.0, inside, inside
        cut = tuple(slice(part.start, part.stop - 2 * margin) for part in box)
        truth = self._centred[number][box]
        of_truth = tuple(moment[cut] for moment in self._moments[number])
        exact = _centred(frame[box])
        values = similarity(exact, truth, moments(exact), of_truth, -_GRAY)
        size = 3 * mask.size
        total = values.sum(dtype=np.float64)
        within = _Mean()
        within.add_masked(values, mask[cut])
        return (total + size - values.size) / size, within.total + inside - within.count, inside

    def _perceptual_distance(self, frames: np.ndarray) -> float:
        together = self.masks.any(axis=0)
        # Small regions are shown with as much around them as the network needs.
        extent = min(together.any(axis=0).sum(), together.any(axis=1).sum())
        box = _box(together, max(8, (PERCEPTUAL_SIDE - int(extent) + 1) // 2))
        return np.nan if box is None else float(self.perceptual(frames[:, *box], self.gt[:, *box]))


class _Mean:
    """A mean over the pixels of many frames; ``nan`` without any."""

    def __init__(self):
        self.total, self.count = 0.0, 0

    def add(self, total: float, count: int) -> None:
        self.total += total
        self.count += count

    def add_masked(self, values: np.ndarray, mask: np.ndarray) -> None:
        """Add the values (H, W, 3) where the mask (H, W) is not 0."""
        mask = mask.astype(np.uint8)
        pixels = cv2.countNonZero(mask)
        if pixels:
            self.add(sum(cv2.mean(values, mask)[:3]) * pixels, 3 * pixels)

    @property
    def value(self) -> float:
        return self.total / self.count if self.count else np.nan


def _centred(frame: np.ndarray) -> np.ndarray:
    return frame.astype(np.float32) - np.float32(_GRAY)


def _box(mask: np.ndarray, margin: int, smallest: int = 1) -> tuple[slice, slice] | None:
    """Return the bounding box of a mask, widened but within the picture, as slices of rows and
    columns.
    """
    if not mask.any():
        return None
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    slices = []
    for start, length, whole in ((y, height, mask.shape[0]), (x, width, mask.shape[1])):
        first = max(min(start - margin, whole - smallest), 0)
        slices.append(slice(first, min(start + length + margin, whole)))
    return slices[0], slices[1]


def _seam(mask: np.ndarray) -> np.ndarray:
    """Return the band around the edge of a mask as bool; the picture's border is no edge."""
    kernel = np.ones((2 * SEAM_WIDTH + 1,) * 2, np.uint8)
    image = mask.astype(np.uint8)
    return cv2.morphologyEx(image, cv2.MORPH_GRADIENT, kernel, borderType=cv2.BORDER_REPLICATE) != 0


def _add_steps(seams: _Mean, error: np.ndarray, band: np.ndarray) -> None:
    """Add the absolute differences of the error between neighbours of which the first lies in the
    band.
    """
    box = _box(band, margin=1)
    if box is not None:
        error, band = error[box], band[box]
        seams.add_masked(cv2.absdiff(error[1:], error[:-1]), band[:-1])
        seams.add_masked(cv2.absdiff(error[:, 1:], error[:, :-1]), band[:, :-1])


class _Motion(NamedTuple):
    """The ground truth's motion within the bounding box of a mask."""

    box: tuple[slice, slice]
    place: np.ndarray
    """(h, w, 2) float32: where (x, y) each pixel was in the frame before."""
    visible: np.ndarray
    """(h, w) bool: masked, and seen in the frame before."""


def _motion(now: np.ndarray, before: np.ndarray, mask: np.ndarray) -> _Motion | None:
    """Return the motion between two frames, ``None`` where nothing is masked.

    A pixel counts as visible when the flow there and the flow back from there cancel.
    """
    box = _box(mask, 0)
    if box is None:
        return None
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    gray = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (now, before)]
    there = flow.calc(gray[0], gray[1], None)[box]
    back = flow.calc(gray[1], gray[0], None)
    rows, columns = box
    grid_x, grid_y = np.meshgrid(
        np.arange(columns.start, columns.stop), np.arange(rows.start, rows.stop)
    )
    place = there + np.dstack([grid_x, grid_y]).astype(np.float32)
    missed = there + cv2.remap(back, place, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    x, y = place[..., 0], place[..., 1]
    height, width = mask.shape
    inside = (x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1)
    near = missed[..., 0] ** 2 + missed[..., 1] ** 2 <= _OCCLUSION**2
    return _Motion(box, place, mask[box] & inside & near)
