"""Second-order deformable alignment (Chan et al. 2022, BasicVSR++, section 3.2)."""

import torch
from torch import Tensor, nn

from lada.models.deform_conv import choose_implementation, modulated_deform_conv2d
from lada.models.initialization import LEAKY_SLOPE, he_normal_, init_convs_, zero_
from lada.models.layout import planes


class SecondOrderDeformableAlignment(nn.Module):
    """Bring the features of the last two frames to the current one, by flow plus learned residual offsets.

    State-dict keys are those of MMCV's ``ModulatedDeformConv2d`` (``weight``, ``bias``) and ``conv_offset``. Offsets
    are computed in float32 at least. The residual of an offset is at most ``max_residue_magnitude`` pixels.
    ``implementation``: as in :func:`modulated_deform_conv2d`; the repr of the module shows it.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 3, stride: int = 1, padding: int = 0,
                 dilation: int = 1, deform_groups: int = 1, bias: bool = True, max_residue_magnitude: float = 10,
                 implementation: str | None = None):
        super().__init__()
        choose_implementation(torch.device('cpu'), implementation)  # a wrong name is told at once
        self.implementation = implementation
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
            nn.Conv2d(out_channels, 3 * kernel_size ** 2 * deform_groups, 3, 1, 1))
        he_normal_(self, slope=1)
        init_convs_([self.conv_offset])
        zero_(self.conv_offset[-1])

    def extra_repr(self) -> str:
        chosen = choose_implementation(self.weight.device, self.implementation)
        return f'{self.weight.shape[1]}, {self.weight.shape[0]}, implementation={chosen}'

    def forward(self, x: Tensor, extra_feat: Tensor, flow_1: Tensor, flow_2: Tensor) -> Tensor:
        """Align ``x`` (N, in, H, W), first- then second-order features; returns (N, out, H, W).

        ``extra_feat`` (N, 3·out, H, W) and the flows (N, 2, H, W) to the last and the last but one frame guide it.
        """
        raw = self.conv_offset(torch.cat([extra_feat, flow_1.to(extra_feat.dtype), flow_2.to(extra_feat.dtype)], dim=1))
        return self.align(x, raw, flow_1, flow_2)

    def align(self, x: Tensor, raw: Tensor, flow_1: Tensor, flow_2: Tensor) -> Tensor:
        """Align ``x`` given the output of ``conv_offset``."""
        with torch.autocast(x.device.type, enabled=False):
            raw = planes(raw if raw.dtype == torch.float64 else raw.float())
            batch, channels, height, width = raw.shape
            residual, mask = raw.split((2 * channels // 3, channels // 3), dim=1)
            residual = torch.tanh(residual).view(batch, 2, -1, 2, height, width)
            flows = torch.stack((flow_1.flip(1), flow_2.flip(1)), dim=1)[:, :, None].to(raw.dtype)
            offset = torch.add(flows, residual, alpha=self.max_residue_magnitude)
            return modulated_deform_conv2d(x, offset.view(batch, -1, height, width), torch.sigmoid(mask), self.weight,
                                           self.bias, stride=self.stride, padding=self.padding,
                                           dilation=self.dilation, implementation=self.implementation)
