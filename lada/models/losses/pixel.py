"""Losses that compare pictures pixel by pixel."""

import torch
from torch import Tensor, nn

from lada.models.losses.reduction import check_reduction, reduce_loss
from lada.registry import MODELS


class PixelLoss(nn.Module):
    """Base of the pixel losses, which compute in float32 at least.

    Args:
        loss_weight: scales the reduced loss.
        reduction: ``none``, ``mean`` or ``sum``.
        sample_wise: with ``mean`` and a weight, average each sample by itself first (see
            :func:`lada.models.losses.reduction.reduce_loss`).
    """

    def __init__(
        self, loss_weight: float = 1.0, reduction: str = 'mean', sample_wise: bool = False
    ):
        super().__init__()
        self.loss_weight = loss_weight
        self.reduction = check_reduction(reduction)
        self.sample_wise = sample_wise

    def forward(
        self, pred: Tensor, target: Tensor, weight: Tensor | None = None, **kwargs
    ) -> Tensor:
        """``pred`` and ``target`` have one shape; ``weight`` broadcasts to it. Other arguments are
        ignored.
        """
        if pred.shape != target.shape:
            raise ValueError(
                f'{type(self).__name__}: prediction {tuple(pred.shape)} and target'
                f' {tuple(target.shape)} differ in shape'
            )
        if pred.dtype != torch.float64:
            pred, target = pred.float(), target.float()
        loss = self.elementwise(pred - target)
        return self.loss_weight * reduce_loss(loss, weight, self.reduction, self.sample_wise)

    def elementwise(self, difference: Tensor) -> Tensor:
        """The loss of each element."""
        raise TypeError('PixelLoss is a base class; use one of its subclasses')


@MODELS.register_module()
class L1Loss(PixelLoss):
    """Absolute difference."""

    def elementwise(self, difference: Tensor) -> Tensor:
        return difference.abs()


@MODELS.register_module()
class MSELoss(PixelLoss):
    """Squared difference."""

    def elementwise(self, difference: Tensor) -> Tensor:
        return difference.square()


@MODELS.register_module()
class CharbonnierLoss(PixelLoss):
    """sqrt(difference² + eps), a smooth absolute difference (Lai et al. 2017, LapSRN).

    Args:
        loss_weight: scales the reduced loss.
        reduction: ``none``, ``mean`` or ``sum``.
        sample_wise: as in :class:`PixelLoss`.
        eps: below its root the loss is nearly quadratic.
    """

    def __init__(
        self,
        loss_weight: float = 1.0,
        reduction: str = 'mean',
        sample_wise: bool = False,
        eps: float = 1e-12,
    ):
        super().__init__(loss_weight, reduction, sample_wise)
        self.eps = eps

    def elementwise(self, difference: Tensor) -> Tensor:
        return torch.sqrt(difference.square() + self.eps)
