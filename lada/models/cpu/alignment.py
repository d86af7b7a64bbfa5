"""Second-order deformable alignment on a processor, over the parameters of a
:class:`~lada.models.basicvsrpp.alignment.SecondOrderDeformableAlignment`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lada.models.cpu.conv_chain import Link
from lada.models.cpu.sampled_conv import sampled_conv
from lada.models.pixel_grid import pixel_positions

if TYPE_CHECKING:
    from lada.models.basicvsrpp.alignment import SecondOrderDeformableAlignment


def offset_links(
    align: SecondOrderDeformableAlignment, slope: float, share: float = 1
) -> list[Link]:
    """Return what follows the first convolution of ``conv_offset``, its last filters sorted for
    :func:`align_features`.

    First those of horizontal shifts, then of vertical ones, then of factors. Those of shifts are
    doubled, because tanh(a) = 2 sigmoid(2a) - 1: all need one function then, a cheaper one.

    Args:
        align: the layer.
        slope: of the LeakyReLUs in it.
        share: only for the first groups of channels, so many of all.
    """
    _, *inner, last = align.offset_convs

    def sort(values: Tensor) -> Tensor:
        shifts, factors = values.split((2 * len(values) // 3, len(values) // 3))
        shifts = shifts.unflatten(0, (align.deform_groups, -1, 2)).movedim(2, 0).flip(0)
        factors = factors.unflatten(0, (1, align.deform_groups, -1))
        every = torch.cat([2 * shifts, factors])
        return every[:, : round(share * align.deform_groups)].flatten(0, 2)

    links = [Link(conv.weight, conv.bias, slope) for conv in inner]
    bias = None if last.bias is None else sort(last.bias)
    return [*links, Link(sort(last.weight), bias)]


def align_features(
    align: SecondOrderDeformableAlignment,
    x: Tensor,
    raw: Tensor,
    flows: Tensor,
    table: Tensor | None = None,
) -> Tensor:
    """Align features given the output of :func:`offset_links`; (N, out, H, W), channels last.

    Args:
        align: the layer.
        x: (N, in, H, W), or the first part of the channels alone, where the others are zero; then
            ``raw`` and ``flows`` are for that share only.
        raw: (N, 3·G·K, H, W).
        flows: (N, H, W, 2, F), F flows, each for as many channels.
        table: as in :func:`lada.models.cpu.sampled_conv.sampled_conv`.
    """
    weight = align.weight[:, : x.shape[1]]
    groups = align.deform_groups * x.shape[1] // align.weight.shape[1]
    with torch.autocast(x.device.type, enabled=False):
        rows = raw.permute(0, 2, 3, 1)
        places = rows.reshape(*rows.shape[:3], 3, groups, -1)
        reach = align.max_residue_magnitude
        flows = flows.to(torch.promote_types(raw.dtype, torch.float32)) - reach
        positions = pixel_positions(*rows.shape[1:3], flows.device, flows.dtype, align.stride)
        return sampled_conv(
            x,
            positions[..., None] + flows,
            places,
            weight,
            align.bias,
            align.padding,
            align.dilation,
            2 * reach,
            table,
        )
