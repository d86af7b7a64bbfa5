"""LPIPS, where its library and weights are at hand.

R. Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR
2018, on AlexNet.
"""

import math
from pathlib import Path

import numpy as np
import torch

from lada.checkpoints.reading import load_state_dict_file
from lada.errors import LadaError
from lada.evaluation.boxes import bounding_box
from lada.evaluation.scores.clip import ClipReference
from lada.evaluation.scores.score import Score
from lada.registry import SCORES

ABSENT = 'LPIPS was not measured: it needs torchmetrics and AlexNet weights (--lpips-weights).'
SMALLEST_SIDE = 64
"""Pixels that the network sees at least, in both directions."""
_BATCH = 8


@SCORES.register_module()
class LPIPS(Score):
    """Learned perceptual distance over the bounding box of a clip's masks, mean over frames,
    through TorchMetrics, which ships the weights of the distance itself.

    Args:
        weights: torchvision's AlexNet weights (``alexnet-owt-7be5be79.pth``), path or address.
        device: to compute on.

    Raises :class:`LadaError` without TorchMetrics, or when the weights are others.
    """

    name = 'lpips'
    title = 'LPIPS'
    higher_is_better = False
    meaning = "learned perceptual distance over the mosaic's bounding box"
    digits = 4

    def __init__(self, weights: str | Path, device: str | torch.device = 'cpu'):
        try:
            from torchmetrics.functional.image.lpips import _LPIPS
        except ImportError as error:
            raise LadaError(
                'LPIPS needs the package torchmetrics; install it, or leave the weights out'
            ) from error
        state = load_state_dict_file(weights)
        # With pnet_rand nothing is downloaded; the backbone's layers keep torchvision's numbers.
        self._network = _LPIPS(pretrained=True, net='alex', pnet_rand=True)
        own = self._network.net.state_dict()
        given = {key: state.get(f'features.{key.partition(".")[2]}') for key in own}
        wrong = [
            key for key, value in given.items() if value is None or value.shape != own[key].shape
        ]
        if wrong:
            raise LadaError(
                f"no AlexNet weights: {weights}; name torchvision's alexnet-owt-7be5be79.pth"
            )
        self._network.net.load_state_dict(given)
        self._network.to(device)
        self._device = device

    def measure(self, clip: ClipReference, frames: np.ndarray) -> float:
        together = np.any(clip.masks, axis=0)
        # Small regions are shown with as much around them as the network needs.
        extent = min(int(np.count_nonzero(np.any(together, axis=axis))) for axis in (0, 1))
        box = bounding_box(together, max(8, (SMALLEST_SIDE - extent + 1) // 2))
        if box is None:
            return math.nan
        rows, columns = box
        return self.distance(frames[:, rows, columns], clip.gt[:, rows, columns])

    def distance(self, frames: np.ndarray, gt: np.ndarray) -> float:
        """Return the mean over frames of uint8 clips (T, H, W, 3)."""
        distances = []
        with torch.inference_mode():
            for start in range(0, len(gt), _BATCH):
                pair = [
                    torch.from_numpy(np.ascontiguousarray(clip[start : start + _BATCH]))
                    .to(self._device)
                    .permute(0, 3, 1, 2)
                    .float()
                    / 127.5
                    - 1
                    for clip in (frames, gt)
                ]
                distances += self._network(*pair).flatten().tolist()
        return float(np.mean(distances))
