"""Upsampling by moving channels into space."""

import torch.nn.functional as F
from torch import Tensor, nn

from lada.models.basicvsrpp.initialization import he_normal_


class PixelShufflePack(nn.Module):
    """A convolution to ``out_channels * scale_factor²`` channels, then a pixel shuffle (Shi et al.
    2016, "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel
    Convolutional Neural Network").

    (N, in_channels, H, W) to (N, out_channels, H * scale_factor, W * scale_factor).

    Args:
        in_channels: of the input.
        out_channels: of the output.
        scale_factor: how many times larger the output is.
        upsample_kernel: side of the convolution's kernel, odd.
    """

    # MMEngine, which would draw them again at the start of a training, is told that they are drawn.
    is_init = True

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
        self.init_weights()

    def init_weights(self) -> None:
        """Draw the weights anew."""
        he_normal_(self.upsample_conv)

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(self.upsample_conv(x), self.scale_factor)
