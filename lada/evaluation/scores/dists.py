"""DISTS, where its library and weights are at hand.

K. Ding et al., "Image Quality Assessment: Unifying Structure and Texture Similarity", TPAMI 2020,
on VGG16.
"""

from pathlib import Path

import numpy as np
import torch

from lada.evaluation.scores.backbone import given_weights
from lada.evaluation.scores.perceptual import PerceptualScore, package, pairs
from lada.registry import SCORES


@SCORES.register_module()
class DISTS(PerceptualScore):
    """Distance in structure and texture over the bounding box of a clip's masks, mean over frames,
    through TorchMetrics, which ships the weights of the distance itself. Another sample of the same
    texture counts as near.

    Args:
        weights: torchvision's VGG16 weights (``vgg16-397923af.pth``), path or address.
        device: to compute on.

    Raises :class:`LadaError` without TorchMetrics, or when the weights are missing or others.
    """

    name = 'dists'
    title = 'DISTS'
    higher_is_better = False
    meaning = "distance in structure and texture over the mosaic's bounding box"
    digits = 4

    def __init__(self, weights: str | Path, device: str | torch.device = 'cpu'):
        # The metric around this network would make it anew for every batch.
        library = package('torchmetrics.functional.image.dists', self.title, 'torchmetrics')
        with given_weights('vgg16', weights, self.title):
            self._network = library.DISTSNetwork()
        self._network.to(device)
        self._device = device

    def compare(self, frames: np.ndarray, gt: np.ndarray) -> float:
        with torch.inference_mode():
            distances = [
                self._network(*pair).reshape(-1) for pair in pairs(frames, gt, self._device)
            ]
            return torch.cat(distances).mean().item()
