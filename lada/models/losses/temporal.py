"""A loss on how frames change."""

import torch
from torch import Tensor

from lada.models.losses.pixel import L1Loss
from lada.registry import MODELS


@MODELS.register_module()
class TemporalDifferenceLoss(L1Loss):
    """|(pred[t+1] - pred[t]) - (target[t+1] - target[t])|: the change from frame to frame that the
    ground truth does not have, which is what flickers; arguments as :class:`PixelLoss`.

    A pair of pixels weighs as the lesser of its two. Clips of one frame have no such loss: 0.
    """

    def forward(
        self, pred: Tensor, target: Tensor, weight: Tensor | None = None, **kwargs
    ) -> Tensor:
        """``pred`` and ``target``: (N, T, C, H, W); ``weight`` broadcasts to them."""
        if pred.dim() > 1 and pred.shape[1] == 1:
            return 0 * pred.float().sum()
        if weight is not None:
            weight = weight.expand(*pred.shape[:2], *weight.shape[2:])
            weight = torch.minimum(weight[:, 1:], weight[:, :-1])
        return super().forward(_changes(pred), _changes(target), weight, **kwargs)


def _changes(frames: Tensor) -> Tensor:
    frames = frames if frames.dtype == torch.float64 else frames.float()
    return frames[:, 1:] - frames[:, :-1]
