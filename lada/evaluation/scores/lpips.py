"""LPIPS, where its library and weights are at hand.

R. Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR
2018, on AlexNet.
"""

from pathlib import Path

import numpy as np
import torch

from lada.evaluation.scores.backbone import given_weights
from lada.evaluation.scores.perceptual import PerceptualScore, package, pairs
from lada.registry import SCORES


@SCORES.register_module()
class LPIPS(PerceptualScore):
    """Learned perceptual distance over the bounding box of a clip's masks, mean over frames,
    through TorchMetrics, which ships the weights of the distance itself.

    Args:
        weights: torchvision's AlexNet weights (``alexnet-owt-7be5be79.pth``), path or address.
        device: to compute on.

    Raises :class:`LadaError` without TorchMetrics, or when the weights are missing or others.
    """

    name = 'lpips'
    title = 'LPIPS'
    higher_is_better = False
    meaning = "learned perceptual distance over the mosaic's bounding box"
    digits = 4

    def __init__(self, weights: str | Path, device: str | torch.device = 'cpu'):
        library = package('torchmetrics.image', self.title, 'torchmetrics')
        with given_weights('alexnet', weights, self.title):
            # Each process measures other clips: nothing is to be collected from the others.
            self._metric = library.LearnedPerceptualImagePatchSimilarity(
                net_type='alex', normalize=True, sync_on_compute=False
            )
        self._metric.to(device)
        self._device = device

    def compare(self, frames: np.ndarray, gt: np.ndarray) -> float:
        self._metric.reset()
        with torch.inference_mode():
            for pair in pairs(frames, gt, self._device):
                self._metric.update(*pair)
            return self._metric.compute().item()
