"""Upsampling by moving channels into space."""

import torch.nn.functional as F
from torch import Tensor, nn

from lada.models.initialization import he_normal_


class PixelShufflePack(nn.Module):
    """A convolution to ``out_channels * scale_factor²`` channels, then a pixel shuffle (Shi et al. 2016).

    (N, in_channels, H, W) to (N, out_channels, H * scale_factor, W * scale_factor).
    """

    def __init__(self, in_channels: int, out_channels: int, scale_factor: int, upsample_kernel: int):
        super().__init__()
        self.scale_factor = scale_factor
        self.upsample_conv = nn.Conv2d(in_channels, out_channels * scale_factor ** 2, upsample_kernel,
                                       padding=(upsample_kernel - 1) // 2)
        he_normal_(self.upsample_conv)

    def forward(self, x: Tensor, negative_slope: float | None = None) -> Tensor:
        """``negative_slope``: apply LeakyReLU, too, before the shuffle, which only moves values."""
        factor = self.scale_factor
        # With the filters sorted by position first, the shuffle moves whole runs of channels.
        weight = self.upsample_conv.weight.unflatten(0, (-1, factor ** 2)).transpose(0, 1).flatten(0, 1)
        bias = self.upsample_conv.bias.view(-1, factor ** 2).t().flatten()
        x = F.conv2d(x, weight, bias, padding=self.upsample_conv.padding)
        if negative_slope is not None:
            x = F.leaky_relu_(x, negative_slope)
        n, _, h, w = x.shape
        rows = x.permute(0, 2, 3, 1).reshape(n, h, w, factor, factor, -1).transpose(2, 3)
        return rows.reshape(n, h * factor, w * factor, -1).permute(0, 3, 1, 2)
