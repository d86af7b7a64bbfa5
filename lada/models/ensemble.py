"""Averaging predictions over flipped and transposed inputs (self-ensemble, Timofte et al. 2016)."""

from collections.abc import Callable
from itertools import product

import torch
from torch import Tensor, nn

from lada.registry import MODELS


@MODELS.register_module()
class SpatialTemporalEnsemble(nn.Module):
    """Average a model's output over the 8 flips and transpositions of its input, if asked over both
    time directions.

    ``forward(imgs, model)``: ``imgs`` is (N, T, C, H, W), or (N, C, H, W) with
    ``is_temporal_ensemble=False``. The result has the shape of ``model(imgs)``.

    Args:
        is_temporal_ensemble: also average over both directions of time.
    """

    def __init__(self, is_temporal_ensemble: bool = False):
        super().__init__()
        self.is_temporal_ensemble = is_temporal_ensemble

    def forward(self, imgs: Tensor, model: Callable[[Tensor], Tensor]) -> Tensor:
        if self.is_temporal_ensemble and imgs.dim() == 4:
            raise ValueError(
                f'temporal ensemble: input {tuple(imgs.shape)} is no clip; use'
                ' is_temporal_ensemble=False'
            )
        outputs = self._spatial(imgs, model)
        if self.is_temporal_ensemble:
            outputs = (outputs + self._spatial(imgs.flip(1), model).flip(1)) * 0.5
        return outputs

    @staticmethod
    def _spatial(imgs: Tensor, model: Callable[[Tensor], Tensor]) -> Tensor:
        total = torch.zeros(())
        for transposed, flips in product((False, True), ((), (-1,), (-2,), (-1, -2))):
            image = imgs.flip(flips) if flips else imgs
            image = image.transpose(-1, -2).contiguous() if transposed else image
            output = model(image)
            output = output.transpose(-1, -2) if transposed else output
            output = output.flip(flips) if flips else output
            total = total.to(output.device) + output.float()
        return total / 8
