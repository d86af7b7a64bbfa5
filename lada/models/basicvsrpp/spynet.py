"""Optical flow by a pyramid of small networks (Ranjan and Black 2017, "Optical Flow Estimation
using a Spatial Pyramid Network").
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from lada.checkpoints.fitting import load_into
from lada.models.basicvsrpp.flow_warp import flow_warp
from lada.models.basicvsrpp.initialization import he_normal_, zero_
from lada.registry import MODELS

LEVELS = 6
MULTIPLE = 2 ** (LEVELS - 1)
IMAGE_MEAN = (0.485, 0.456, 0.406)
IMAGE_STD = (0.229, 0.224, 0.225)
CHANNELS = (32, 64, 32, 16)

Layout = Callable[[Tensor], Tensor]


def _as_it_is(x: Tensor) -> Tensor:
    return x


class _ConvLayer(nn.Module):
    """A 7×7 convolution stored under ``conv``, the key that published weights use."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 7, 1, 3)
        he_normal_(self.conv, slope=0)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class SPyNetBasicModule(nn.Module):
    """One level: reference, warped neighbour and upsampled flow (N, 8, H, W) to a residual flow (N,
    2, H, W).

    ``channels``: of the layers between.
    """

    def __init__(self, channels: Sequence[int] = CHANNELS):
        super().__init__()
        layers = [_ConvLayer(a, b) for a, b in pairwise((8, *channels, 2))]
        self.basic_module = nn.Sequential(*layers)
        zero_(layers[-1].conv)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.basic_module[:-1]:
            x = F.relu_(layer(x))
        return self.basic_module[-1](x)


@MODELS.register_module()
class SPyNet(BaseModule):
    """Flow from a reference to a supporting image, in pixels of the input size.

    Args:
        pretrained: path or ``http(s)`` address of weights (a plain state dict or ``{'state_dict':
            ...}``), e.g. the published ``spynet_20210409-c6c1bd09.pth``; ``None`` starts from flows
            of zero. :class:`lada.errors.LadaError` says when the file is missing or does not fit.
        channels: of the layers between a level's input and its flow.
    """

    def __init__(self, pretrained: str | None, channels: Sequence[int] = CHANNELS):
        super().__init__()
        if pretrained is not None and not isinstance(pretrained, str):
            raise TypeError(
                'SPyNet: pretrained must be a path, an address or None, not'
                f' {type(pretrained).__name__}'
            )
        self.basic_module = nn.ModuleList(SPyNetBasicModule(channels) for _ in range(LEVELS))
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer('mean', torch.tensor(IMAGE_MEAN).view(1, 3, 1, 1))
        self.register_buffer('std', torch.tensor(IMAGE_STD).view(1, 3, 1, 1))
        if pretrained is not None:
            load_into(self, pretrained, optional=('mean', 'std'))

    def compute_flow(self, ref: Tensor, supp: Tensor, layout: Layout = _as_it_is) -> Tensor:
        """Flow (N, 2, H, W) between images (N, 3, H, W) whose sides are multiples of 32."""
        refs, supps = self._pyramid(ref), self._pyramid(supp)
        flow = flow_up = refs[0].new_zeros(len(ref), 2, *refs[0].shape[2:])
        for level, (ref, supp) in enumerate(zip(refs, supps, strict=True)):
            warped = supp
            if level:
                flow_up = 2 * F.interpolate(
                    flow, scale_factor=2, mode='bilinear', align_corners=True
                )
                warped = flow_warp(supp, flow_up.permute(0, 2, 3, 1), padding_mode='border')
            inputs = layout(torch.cat([ref, warped, flow_up], 1))
            flow = flow_up + self.basic_module[level](inputs)
        return flow

    def forward(self, ref: Tensor, supp: Tensor, layout: Layout = _as_it_is) -> Tensor:
        """Return the flow (N, 2, H, W) from ``ref`` to ``supp``; float32 also under autocast.

        Args:
            ref: (N, 3, H, W) in [0, 1].
            supp: the same.
            layout: applied to what each level's convolutions take, to store it otherwise.
        """
        if not len(ref):
            return ref[:, :2]
        with torch.autocast(ref.device.type, enabled=False):
            if ref.dtype != torch.float64:
                ref, supp = ref.float(), supp.float()
            height, width = ref.shape[2:]
            padded = (-(-height // MULTIPLE) * MULTIPLE, -(-width // MULTIPLE) * MULTIPLE)
            if padded == (height, width):
                return self.compute_flow(ref, supp, layout)
            ref = F.interpolate(ref, size=padded, mode='bilinear', align_corners=False)
            supp = F.interpolate(supp, size=padded, mode='bilinear', align_corners=False)
            flow = F.interpolate(
                self.compute_flow(ref, supp, layout),
                size=(height, width),
                mode='bilinear',
                align_corners=False,
            )
            ratio = flow.new_tensor([width / padded[1], height / padded[0]]).view(1, 2, 1, 1)
            return flow * ratio

    def _pyramid(self, image: Tensor) -> list[Tensor]:
        levels = [(image - self.mean) / self.std]
        for _ in range(LEVELS - 1):
            levels.append(F.avg_pool2d(levels[-1], 2, 2, count_include_pad=False))
        return levels[::-1]
