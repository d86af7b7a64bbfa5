"""The critic of adversarial training, which judges every pixel (Wang et al. 2021, Real-ESRGAN)."""

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.utils import spectral_norm

from lada.registry import MODELS

SLOPE = 0.2


@MODELS.register_module()
class UNetDiscriminatorWithSpectralNorm(BaseModule):
    """A U-Net with spectral normalisation (Miyato et al. 2018): pictures (N, in_channels, H, W) to
    logits (N, 1, H, W). H and W must be divisible by 8.

    Args:
        in_channels: of the pictures.
        mid_channels: of the features at full size.
        skip_connection: add the features of the way down on the way up.
    """

    def __init__(self, in_channels: int, mid_channels: int = 64, skip_connection: bool = True):
        super().__init__()
        self.skip_connection = skip_connection
        m = mid_channels
        self.conv_0 = nn.Conv2d(in_channels, m, 3, 1, 1)
        down = ((m, 2 * m), (2 * m, 4 * m), (4 * m, 8 * m))
        up = ((8 * m, 4 * m), (4 * m, 2 * m), (2 * m, m))
        last = ((m, m), (m, m))
        for number, (inputs, outputs) in enumerate(down + up + last, start=1):
            kernel, stride = (4, 2) if number <= len(down) else (3, 1)
            conv = nn.Conv2d(inputs, outputs, kernel, stride, 1, bias=False)
            self.add_module(f'conv_{number}', spectral_norm(conv))
        self.conv_9 = nn.Conv2d(m, 1, 3, 1, 1)

    def forward(self, img: Tensor) -> Tensor:
        if img.dim() != 4 or img.shape[2] % 8 or img.shape[3] % 8:
            raise ValueError(
                f'discriminator: pictures of shape {tuple(img.shape)}; they must be (N, C, H, W)'
                ' with H and W divisible by 8'
            )
        feats = [F.leaky_relu(self.conv_0(img), SLOPE)]
        for number in (1, 2, 3):
            feats.append(self._layer(number, feats[-1]))
        x = feats.pop()
        for number in (4, 5, 6):
            x = F.interpolate(x, scale_factor=2, mode='bilinear', align_corners=False)
            x = self._layer(number, x)
            skip = feats.pop()
            if self.skip_connection:
                x = x + skip
        for number in (7, 8):
            x = self._layer(number, x)
        return self.conv_9(x)

    def _layer(self, number: int, x: Tensor) -> Tensor:
        return F.leaky_relu(self.get_submodule(f'conv_{number}')(x), SLOPE)
