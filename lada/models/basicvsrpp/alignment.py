"""Second-order deformable alignment (Chan et al. 2022, BasicVSR++, section 3.2)."""

import torch
from torch import Tensor, nn

from lada.models.basicvsrpp.deform_conv import choose_implementation, modulated_deform_conv2d
from lada.models.basicvsrpp.initialization import LEAKY_SLOPE, he_normal_, init_convs_, zero_
from lada.models.cpu.conv_chain import ConvChain, Link
from lada.models.cpu.row_sampling import pixel_positions
from lada.models.cpu.sampled_conv import sampled_conv


class SecondOrderDeformableAlignment(nn.Module):
    """Bring the features of the last two frames to the current one, by flow plus learned residual
    offsets.

    State-dict keys are those of MMCV's ``ModulatedDeformConv2d`` (``weight``, ``bias``) and
    ``conv_offset``. Offsets are computed in float32 at least. The residual of an offset is at most
    ``max_residue_magnitude`` pixels. ``implementation``: as in :func:`modulated_deform_conv2d`; the
    repr of the module shows it.
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
            nn.Conv2d(out_channels, 3 * kernel_size**2 * deform_groups, 3, 1, 1),
        )
        he_normal_(self, slope=1)
        init_convs_([self.conv_offset])
        zero_(self.conv_offset[-1])

    def extra_repr(self) -> str:
        chosen = choose_implementation(self.weight.device, self.implementation)
        return f'{self.weight.shape[1]}, {self.weight.shape[0]}, implementation={chosen}'

    def forward(self, x: Tensor, extra_feat: Tensor, flow_1: Tensor, flow_2: Tensor) -> Tensor:
        """Align ``x`` (N, in, H, W), first- then second-order features; returns (N, out, H, W).

        ``extra_feat`` (N, 3·out, H, W) and the flows (N, 2, H, W) to the last and the last but one
        frame guide it.
        """
        first = self.conv_offset[0]
        guide = torch.cat(
            [extra_feat, flow_1.to(extra_feat.dtype), flow_2.to(extra_feat.dtype)], dim=1
        )
        raw = ConvChain([Link(first.weight, first.bias, LEAKY_SLOPE), *self.offset_links()])(guide)
        return self.align(x, raw, torch.stack((flow_1, flow_2), 2).permute(0, 3, 4, 1, 2))

    def offset_links(self, share: float = 1) -> list[Link]:
        """What follows the first convolution of ``conv_offset``, its last filters sorted for
        :meth:`align`.

        First those of horizontal shifts, then of vertical ones, then of factors. Those of shifts
        are doubled, because tanh(a) = 2 sigmoid(2a) - 1: all need one function then, ten times
        faster than tanh. ``share``: only for the first groups of channels, so many of all.
        """
        *inner, last = self.conv_offset[2::2]
        return [
            *(Link(conv.weight, conv.bias, LEAKY_SLOPE) for conv in inner),
            Link(self._sorted_filters(last.weight, share), self._sorted_filters(last.bias, share)),
        ]

    def align(self, x: Tensor, raw: Tensor, flows: Tensor, table: Tensor | None = None) -> Tensor:
        """Align ``x`` (N, in, H, W) given the output of :meth:`offset_links` and F flows (N, H, W,
        2, F).

        Each flow serves as many channels. ``x`` may be the first part of the channels alone, where
        the others are zero; then ``raw`` and ``flows`` are for that share only. ``table``: as in
        :func:`lada.models.cpu.sampled_conv.sampled_conv`. Returns (N, out, H, W), stored channels
        last.
        """
        weight = self.weight[:, : x.shape[1]]
        groups = self.deform_groups * x.shape[1] // self.weight.shape[1]
        with torch.autocast(x.device.type, enabled=False):
            rows = raw.permute(0, 2, 3, 1)
            places = rows.reshape(*rows.shape[:3], 3, groups, -1)
            reach = 2 * self.max_residue_magnitude
            flows = (
                flows.to(torch.promote_types(raw.dtype, torch.float32)) - self.max_residue_magnitude
            )
            if choose_implementation(x.device, self.implementation) == 'sampling':
                base = (
                    pixel_positions(*rows.shape[1:3], flows.device, flows.dtype, self.stride)[
                        ..., None
                    ]
                    + flows
                )
                return sampled_conv(
                    x, base, places, weight, self.bias, self.padding, self.dilation, reach, table
                )
            places = torch.sigmoid(places.to(flows.dtype))
            shifts = (
                places[..., :2, :, :].unflatten(-2, (flows.shape[-1], -1)) * reach
                + flows[..., None, None]
            )
            offset = shifts.flip(3).flatten(-3).movedim(3, -1).flatten(3).permute(0, 3, 1, 2)
            mask = places[..., 2, :, :].flatten(3).permute(0, 3, 1, 2)
            return modulated_deform_conv2d(
                x,
                offset.contiguous(),
                mask.contiguous(),
                weight,
                self.bias,
                stride=self.stride,
                padding=self.padding,
                dilation=self.dilation,
                implementation='torchvision',
            )

    def _sorted_filters(self, values: Tensor, share: float) -> Tensor:
        shifts, factors = values.split((2 * len(values) // 3, len(values) // 3))
        shifts = shifts.unflatten(0, (self.deform_groups, -1, 2)).movedim(2, 0).flip(0)
        every = torch.cat([2 * shifts, factors.unflatten(0, (1, self.deform_groups, -1))])
        return every[:, : round(share * self.deform_groups)].flatten(0, 2)
