"""Everything measured on one clip, in one pass that shares what depends on the ground truth alone."""

from dataclasses import dataclass

import cv2
import numpy as np

from lada.evaluation.metrics.functional import moments, psnr_of_mse, similarity, valid

MAX_PSNR = 100.
"""dB of what was restored without any error, so that sums stay finite."""
SEAM_WIDTH = 4
"""Pixels on either side of the mosaic's edge that count as its seam."""
PERCEPTUAL_SIDE = 64
"""Pixels that a perceptual distance sees at least, in both directions."""
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
    Score('psnr_mosaic', 'PSNR in the mosaic', 'dB', True, 'from the mean squared error over all mosaic pixels'),
    Score('ssim_mosaic', 'SSIM in the mosaic', '', True, 'local structural similarity, mean over all mosaic pixels'),
    Score('psnr', 'PSNR of the frame', 'dB', True, 'mean over frames; mostly pixels that nobody touched'),
    Score('ssim', 'SSIM of the frame', '', True, 'mean over frames; mostly pixels that nobody touched'),
    Score('seam', 'seam', 'levels', False,
          f'mean error of the brightness steps between neighbours within {SEAM_WIDTH} pixels of the mosaic\'s edge'),
    Score('warp', 'warping error', 'levels', False,
          'mean change along the ground truth\'s motion, in the mosaic, where nothing is covered or uncovered'),
    Score('flicker', 'flicker', 'levels', False,
          'mean change from frame to frame that the ground truth does not have, in the mosaic'),
    Score('lpips', 'LPIPS', '', False, 'learned perceptual distance over the mosaic\'s bounding box'),
)


class ClipReference:
    """The ground truth of one clip, against which any number of restorations are measured.

    Args:
        gt: (T, H, W, 3) uint8 RGB.
        masks: (T, H, W) bool, True in the mosaic.
        perceptual: distance of two clips (T, H, W, 3) uint8, LPIPS for example; left out when ``None``.
    """

    def __init__(self, gt: np.ndarray, masks: np.ndarray, perceptual=None):
        self.gt, self.masks, self.perceptual = gt, masks, perceptual
        self._exact = [frame.astype(np.float64) for frame in gt]
        self._moments = [moments(frame) for frame in self._exact]
        self._seams = [_seam(mask) for mask in masks]
        self._motion = [_motion(*pair) for pair in zip(gt[1:], gt[:-1], masks[1:], strict=True)]

    def measure(self, frames: np.ndarray) -> dict[str, float]:
        """Return the values of :data:`SCORES` for uint8 frames of the ground truth's shape.

        ``nan`` stands where a clip has no such value. PSNR is at most 100 dB, also that of a single frame.
        """
        if frames.shape != self.gt.shape:
            raise ValueError(f'frames of shape {frames.shape} for a ground truth of {self.gt.shape}')
        psnrs, ssims, squares, local, seams = [], [], [], [], []
        for frame, truth, of_truth, mask, seam in zip(
                frames, self._exact, self._moments, self.masks, self._seams, strict=True):
            exact = frame.astype(np.float64)
            error = exact - truth
            square = error * error
            psnrs.append(min(psnr_of_mse(square.mean()), MAX_PSNR))
            similar = similarity(exact, truth, moments(exact), of_truth)
            ssims.append(similar.mean())
            squares.append(square[mask])
            local.append(similar[valid(mask)])
            seams += _steps(error, seam)
        mse = _mean(squares)
        scores = {
            'psnr_mosaic': min(psnr_of_mse(mse), MAX_PSNR) if mse == mse else np.nan, 'ssim_mosaic': _mean(local),
            'psnr': float(np.mean(psnrs)), 'ssim': float(np.mean(ssims)), 'seam': _mean(seams),
            'warp': self._warping_error(frames), 'flicker': self._flicker(frames)}
        if self.perceptual is not None:
            scores['lpips'] = self._perceptual_distance(frames)
        return scores

    def _warping_error(self, frames: np.ndarray) -> float:
        """W.-S. Lai et al., "Learning Blind Video Temporal Consistency", ECCV 2018, here as mean absolute error."""
        errors = []
        for now, before, (flow_map, visible) in zip(frames[1:], frames[:-1], self._motion, strict=True):
            if visible.any():
                warped = cv2.remap(before, flow_map, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
                errors.append(cv2.absdiff(now, warped)[visible])
        return _mean(errors)

    def _flicker(self, frames: np.ndarray) -> float:
        error = frames.astype(np.int16) - self.gt
        return _mean([np.abs(error[t] - error[t - 1])[self.masks[t] & self.masks[t - 1]] for t in range(1, len(error))])

    def _perceptual_distance(self, frames: np.ndarray) -> float:
        together = self.masks.any(axis=0)
        # Small regions are shown with as much around them as the network needs.
        extent = min(together.any(axis=0).sum(), together.any(axis=1).sum())
        box = _box(together, margin=max(8, (PERCEPTUAL_SIDE - int(extent) + 1) // 2))
        return np.nan if box is None else float(self.perceptual(frames[:, *box], self.gt[:, *box]))


def _mean(parts: list[np.ndarray]) -> float:
    count = sum(part.size for part in parts)
    return float(sum(part.sum(dtype=np.float64) for part in parts) / count) if count else np.nan


def _box(mask: np.ndarray, margin: int) -> tuple[slice, slice] | None:
    """Return the bounding box of a mask, widened, as slices of rows and columns."""
    if not mask.any():
        return None
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return slice(max(y - margin, 0), y + height + margin), slice(max(x - margin, 0), x + width + margin)


def _seam(mask: np.ndarray) -> np.ndarray:
    """Return the band around the edge of a mask as bool; the picture's border is no edge."""
    kernel = np.ones((2 * SEAM_WIDTH + 1,) * 2, np.uint8)
    image = mask.astype(np.uint8)
    return cv2.morphologyEx(image, cv2.MORPH_GRADIENT, kernel, borderType=cv2.BORDER_REPLICATE) != 0


def _steps(error: np.ndarray, band: np.ndarray) -> list[np.ndarray]:
    """Return the absolute differences of the error between neighbours of which the first lies in the band."""
    box = _box(band, margin=1)
    if box is None:
        return []
    error, band = error[box], band[box]
    return [np.abs(error[1:] - error[:-1])[band[:-1]], np.abs(error[:, 1:] - error[:, :-1])[band[:, :-1]]]


def _motion(now: np.ndarray, before: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where each pixel of ``now`` was in ``before`` (H, W, 2), and the masked pixels that were visible there.

    A pixel counts as visible when the flow there and the flow back from there cancel.
    """
    height, width = mask.shape
    if not mask.any():
        return np.zeros((height, width, 2), np.float32), mask
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    gray = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (now, before)]
    there = flow.calc(gray[0], gray[1], None)
    back = flow.calc(gray[1], gray[0], None)
    place = np.dstack(np.meshgrid(np.arange(width), np.arange(height))).astype(np.float32) + there
    missed = there + cv2.remap(back, place, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    inside = (place >= 0).all(2) & (place[..., 0] <= width - 1) & (place[..., 1] <= height - 1)
    return place, mask & inside & (np.square(missed).sum(2) <= _OCCLUSION ** 2)
