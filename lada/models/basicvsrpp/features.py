"""What BasicVSR++ extracts from each frame by itself."""

from itertools import chain

from torch import nn

from lada.models.basicvsrpp.initialization import LEAKY_SLOPE, init_convs_
from lada.models.basicvsrpp.residual import ResidualBlocksWithInputConv


def feature_extraction(
    in_channels: int, channels: int, is_low_res_input: bool
) -> nn.Sequential | ResidualBlocksWithInputConv:
    """Five residual blocks, after two convolutions that halve height and width unless the input is
    small already.

    (N, in_channels, H, W) to (N, channels, h, w). State-dict keys are those of MMagic's network.
    """
    if is_low_res_input:
        return ResidualBlocksWithInputConv(in_channels, channels, 5)
    convs = [nn.Conv2d(inputs, channels, 3, 2, 1) for inputs in (in_channels, channels)]
    blocks = ResidualBlocksWithInputConv(channels, channels, 5)
    init_convs_(convs)
    activations = (nn.LeakyReLU(LEAKY_SLOPE, inplace=True) for _ in convs)
    return nn.Sequential(*chain.from_iterable(zip(convs, activations, strict=True)), blocks)
