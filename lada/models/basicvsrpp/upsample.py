"""Upsampling by moving channels into space."""

from torch import Tensor, nn

from lada.models.basicvsrpp.initialization import he_normal_
from lada.models.cpu.conv_chain import ConvChain, Link


class PixelShufflePack(nn.Module):
    """A convolution to ``out_channels * scale_factor²`` channels, then a pixel shuffle (Shi et al.
    2016).

    (N, in_channels, H, W) to (N, out_channels, H * scale_factor, W * scale_factor).
    """

    def __init__(
        self, in_channels: int, out_channels: int, scale_factor: int, upsample_kernel: int
    ):
        super().__init__()
        self.scale_factor = scale_factor
        self.upsample_conv = nn.Conv2d(
            in_channels,
            out_channels * scale_factor**2,
            upsample_kernel,
            padding=(upsample_kernel - 1) // 2,
        )
        he_normal_(self.upsample_conv)

    def link(self, slope: float | None = None) -> Link:
        """The convolution with its filters sorted by position, so that the shuffle moves whole runs
        of channels.
        """
        cell = self.scale_factor**2
        weight = self.upsample_conv.weight.unflatten(0, (-1, cell)).transpose(0, 1).flatten(0, 1)
        bias = self.upsample_conv.bias.view(-1, cell).t().flatten()
        return Link(weight, bias, slope, self.scale_factor)

    def forward(self, x: Tensor) -> Tensor:
        return ConvChain([self.link()])(x)
