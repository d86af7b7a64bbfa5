"""Residual blocks without normalisation, the workhorse of every propagation branch."""

from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from lada.models.basicvsrpp.initialization import LEAKY_SLOPE, he_normal_


class ResidualBlockNoBN(nn.Module):
    """``x + res_scale * conv2(relu(conv1(x)))`` with 3×3 convolutions (Lim et al. 2017, EDSR)."""

    def __init__(self, mid_channels: int = 64, res_scale: float = 1.0):
        super().__init__()
        self.res_scale = res_scale
        self.conv1 = nn.Conv2d(mid_channels, mid_channels, 3, 1, 1)
        self.conv2 = nn.Conv2d(mid_channels, mid_channels, 3, 1, 1)
        self.init_weights()

    def init_weights(self) -> None:
        """Draw the weights anew."""
        he_normal_(self.conv1, slope=0, scale=0.1)
        he_normal_(self.conv2, slope=0, scale=0.1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.res_scale * self.conv2(F.relu_(self.conv1(x)))


class ResidualBlocksWithInputConv(nn.Module):
    """A convolution to ``out_channels`` with LeakyReLU, then ``num_blocks`` residual blocks.

    (N, in_channels, H, W) to (N, out_channels, H, W).
    """

    def __init__(self, in_channels: int, out_channels: int = 64, num_blocks: int = 30):
        super().__init__()
        blocks = nn.Sequential(*(ResidualBlockNoBN(out_channels) for _ in range(num_blocks)))
        self.main = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 3, 1, 1),
            nn.LeakyReLU(LEAKY_SLOPE, inplace=True),
            blocks,
        )
        he_normal_(self.input_conv)

    @property
    def input_conv(self) -> nn.Conv2d:
        return cast(nn.Conv2d, self.main[0])

    @property
    def blocks(self) -> list[ResidualBlockNoBN]:
        return list(cast(nn.Sequential, self.main[2]))  # pyright: ignore[reportReturnType]

    def forward(self, feat: Tensor) -> Tensor:
        return self.main(feat)
