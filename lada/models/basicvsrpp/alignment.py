"""Second-order deformable alignment (Chan et al. 2022, BasicVSR++, section 3.2)."""

from typing import cast

import torch
from torch import Tensor, nn

from lada.errors import LadaError
from lada.models.basicvsrpp.deform_conv import check_implementation, modulated_deform_conv2d
from lada.models.basicvsrpp.initialization import (
    LEAKY_SLOPE,
    Convolution,
    he_normal_,
    init_convs_,
    zero_,
)


class SecondOrderDeformableAlignment(nn.Module):
    """Bring the features of the last two frames to the current one, by flow plus learned residual
    offsets.

    State-dict keys are those of MMCV's ``ModulatedDeformConv2d`` (``weight``, ``bias``) and
    ``conv_offset``. Offsets are computed in float32 at least.

    Args:
        in_channels: of both frames' features together.
        out_channels: of the result, and of one frame's features.
        kernel_size: side of the kernel.
        stride: between two positions of the kernel.
        padding: zeros around the features.
        dilation: between two taps of the kernel.
        deform_groups: groups of input channels that share offsets.
        bias: add one.
        max_residue_magnitude: pixels that the residual of an offset has at most.
        implementation: as in :func:`~lada.models.basicvsrpp.deform_conv.modulated_deform_conv2d`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        deform_groups: int = 1,
        bias: bool = True,
        max_residue_magnitude: float = 10,
        implementation: str | None = None,
    ):
        super().__init__()
        if in_channels % deform_groups:
            raise LadaError(
                f'{deform_groups} deformable groups cannot share the {in_channels} channels of two'
                f' frames; make mid_channels a multiple of {deform_groups // 2}'
            )
        self.implementation = check_implementation(implementation)
        self.stride, self.padding, self.dilation = stride, padding, dilation
        self.deform_groups = deform_groups
        self.max_residue_magnitude = max_residue_magnitude
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.empty(out_channels)) if bias else None
        self.conv_offset = nn.Sequential(
            nn.Conv2d(3 * out_channels + 4, out_channels, 3, 1, 1),
            nn.LeakyReLU(LEAKY_SLOPE, inplace=True),
            nn.Conv2d(out_channels, out_channels, 3, 1, 1),
            nn.LeakyReLU(LEAKY_SLOPE, inplace=True),
            nn.Conv2d(out_channels, out_channels, 3, 1, 1),
            nn.LeakyReLU(LEAKY_SLOPE, inplace=True),
            nn.Conv2d(out_channels, 3 * kernel_size**2 * deform_groups, 3, 1, 1),
        )
        he_normal_(cast(Convolution, self), slope=1)
        init_convs_([self.conv_offset])
        zero_(self.offset_convs[-1])

    @property
    def offset_convs(self) -> list[nn.Conv2d]:
        """The convolutions of ``conv_offset``, without the activations between them."""
        return [layer for layer in self.conv_offset if isinstance(layer, nn.Conv2d)]

    def extra_repr(self) -> str:
        out_channels, in_channels = self.weight.shape[:2]
        return f'{in_channels}, {out_channels}, implementation={self.implementation or "by device"}'

    def forward(self, x: Tensor, extra_feat: Tensor, flow_1: Tensor, flow_2: Tensor) -> Tensor:
        """Align features, first- then second-order; returns (N, out, H, W).

        Args:
            x: (N, in, H, W), the features of the last and of the last but one frame.
            extra_feat: (N, 3·out, H, W), what offsets are predicted from: warped, current, warped.
            flow_1: (N, 2, H, W) in pixels, from the current frame to the last one.
            flow_2: the same to the last but one.
        """
        guide = torch.cat([extra_feat, flow_1.to(extra_feat), flow_2.to(extra_feat)], dim=1)
        raw = self.conv_offset(guide)
        with torch.autocast(x.device.type, enabled=False):
            raw = raw.to(torch.promote_types(raw.dtype, torch.float32))
            first, second, mask = raw.chunk(3, dim=1)
            offsets = [
                self.max_residue_magnitude * torch.tanh(residue)
                # A flow is (x, y), offsets are (y, x) for each tap of each group.
                + flow.flip(1).repeat(1, residue.shape[1] // 2, 1, 1)
                for residue, flow in ((first, flow_1), (second, flow_2))
            ]
            return modulated_deform_conv2d(
                x,
                torch.cat(offsets, dim=1),
                torch.sigmoid(mask),
                self.weight,
                self.bias,
                stride=self.stride,
                padding=self.padding,
                dilation=self.dilation,
                implementation=self.implementation,
            )
