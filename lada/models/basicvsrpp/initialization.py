"""Initial weights that let a signal, and its gradient, pass through the whole network.

With small residual branches and PyTorch's default elsewhere, an untrained BasicVSR++ loses its
signal from layer to layer and its flow network invents displacements of many pixels. Here
convolutions outside the residual blocks keep the variance (He et al. 2015, "Delving Deep into
Rectifiers"), residual branches start at a tenth of that (Wang et al. 2018, ESRGAN), and what must
start as "no change" starts at zero: the last convolution, which adds to the input picture, the last
convolution of each flow level and that of each offset predictor.
"""

from collections.abc import Iterable
from typing import Protocol

import torch
from torch import Tensor, nn

LEAKY_SLOPE = 0.1


class Convolution(Protocol):
    """What has a convolution's parameters."""

    weight: Tensor
    bias: Tensor | None


@torch.no_grad()
def he_normal_(conv: Convolution, *, slope: float = LEAKY_SLOPE, scale: float = 1.0) -> None:
    """Draw ``conv.weight`` from a normal distribution of gain sqrt(2 / (1 + slope²)) × ``scale``;
    zero the bias.
    """
    nn.init.kaiming_normal_(conv.weight, a=slope, mode='fan_in', nonlinearity='leaky_relu')
    conv.weight.mul_(scale)
    if conv.bias is not None:
        conv.bias.zero_()


@torch.no_grad()
def zero_(conv: Convolution) -> None:
    """Make a convolution return zero everywhere."""
    conv.weight.zero_()
    if conv.bias is not None:
        conv.bias.zero_()


def init_convs_(
    modules: Iterable[nn.Module], *, slope: float = LEAKY_SLOPE, scale: float = 1.0
) -> None:
    """Apply :func:`he_normal_` to every convolution found in ``modules``."""
    for module in modules:
        for layer in module.modules():
            if isinstance(layer, nn.Conv2d):
                he_normal_(layer, slope=slope, scale=scale)
