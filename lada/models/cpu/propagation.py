"""The forward pass of BasicVSR++ on a processor, over the parameters of a
:class:`~lada.models.basicvsrpp.net.BasicVSRPlusPlusNet`.

Values and gradients are the plain network's within rounding. Convolutions are linear, so what the
parts of their inputs contribute is added up: the parts that are known before a recurrence starts
are convolved for all frames at once, and nothing is concatenated. After one frame there is nothing
of second order yet, and that half of the alignment's work is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lada.models.cpu.alignment import align_features, offset_links
from lada.models.cpu.conv_chain import ConvChain, Link, ResidualChain
from lada.models.cpu.group_warp import warp_groups
from lada.models.cpu.layout import channels_last, join_channels, join_frames, split_frames
from lada.models.cpu.motion import Motion, motion_both_ways
from lada.models.cpu.row_sampling import padded
from lada.models.recurrence import maybe_checkpoint, recur

if TYPE_CHECKING:
    from lada.models.basicvsrpp.alignment import SecondOrderDeformableAlignment
    from lada.models.basicvsrpp.net import BasicVSRPlusPlusNet
    from lada.models.basicvsrpp.residual import ResidualBlocksWithInputConv
    from lada.models.basicvsrpp.upsample import PixelShufflePack


def forward(
    net: BasicVSRPlusPlusNet, lqs: Tensor, seen: Tensor, small: Tensor, segment: int | None
) -> Tensor:
    """Return what ``net(lqs, seen)`` returns.

    Args:
        net: holds the parameters.
        lqs: (N, T, 3, H, W) in [0, 1].
        seen: (N, T, C, H, W), what features are extracted from.
        small: the clip at the size of the features, for the flow network.
        segment: see :func:`lada.models.recurrence.recur`.
    """
    spatial = channels_last(_extract(net, channels_last(seen.transpose(0, 1).flatten(0, 1))))
    feats = [_Features(split_frames(spatial, lqs.shape[1]), spatial)]
    motion = motion_both_ways(net.spynet, small, net.is_mirror_extended)
    for branch in net.deform_align:
        frames = _propagate(net, feats, motion[branch.split('_')[0]], branch, segment)
        feats.append(_Features(frames, join_frames(frames)))
    return _reconstruct(net, lqs, [feat.frames for feat in feats], segment)


class _Features(NamedTuple):
    """Features of all frames: T x (N, C, h, w), and joined to (T·N, C, h, w)."""

    frames: list[Tensor]
    joined: Tensor


def _extract(net: BasicVSRPlusPlusNet, frames: Tensor) -> Tensor:
    extract = net.feat_extract
    if isinstance(extract, nn.Sequential):
        *halving, last = extract
        for layer in halving:
            frames = layer(frames)
        extract = cast('ResidualBlocksWithInputConv', last)
    return _blocks(extract)(F.leaky_relu_(extract.input_conv(frames), net.lrelu.negative_slope))


def _propagate(
    net: BasicVSRPlusPlusNet,
    feats: list[_Features],
    motion: Motion,
    branch: str,
    segment: int | None,
) -> list[Tensor]:
    """Carry features from frame to frame in the branch's direction; T x (N, C, h, w)."""
    t = len(feats[0].frames)
    forward = 1 if branch.startswith('forward') else -1
    order = range(t)[::forward]
    align = cast('SecondOrderDeformableAlignment', net.deform_align[branch])
    backbone = cast('ResidualBlocksWithInputConv', net.backbone[branch])
    merging, first, slope = backbone.input_conv, align.offset_convs[0], net.lrelu.negative_slope

    *known_weights, prop_weight = merging.weight.split(net.mid_channels, 1)
    joined = [feat.joined for feat in feats]
    known = split_frames(_SplitConv(known_weights, merging.bias)(joined), t)
    warped_1, current, warped_2, flow_weight = first.weight.split([net.mid_channels] * 3 + [4], 1)
    current_part = split_frames(_SplitConv([current], first.bias)(joined[:1]), t)
    flow_part = split_frames(F.conv2d(motion.both, flow_weight, padding=1), t - 1) if t > 1 else []
    first_offsets = ConvChain([Link(warped_1, None, slope), *offset_links(align, slope, share=0.5)])
    offsets = ConvChain(
        [Link(torch.cat([warped_1, warped_2], 1), None, slope), *offset_links(align, slope)]
    )
    merge, blocks = ConvChain([Link(prop_weight, None, slope)]), _blocks(backbone)

    def visit(step: int, last: Tensor | None, before: Tensor | None) -> Tensor:
        i = order[step]
        if last is None:
            return blocks(F.leaky_relu_(known[i].clone(), slope))
        past = last if before is None else join_channels([last, before])
        flows = motion.flows[step - 1][..., : 1 if before is None else 2]
        table = padded(past.detach(), flows.dtype)
        chain = first_offsets if before is None else offsets
        raw = chain(warp_groups(past, flows, table), current_part[i] + flow_part[step - 1])
        aligned = align_features(align, past, raw, flows, table)
        return aligned + blocks(merge(aligned, known[i]))

    return recur(visit, t, segment)[::forward]


def _reconstruct(
    net: BasicVSRPlusPlusNet, lqs: Tensor, feats: list[list[Tensor]], segment: int | None
) -> Tensor:
    slope = net.lrelu.negative_slope
    conv, blocks = net.reconstruction.input_conv, _blocks(net.reconstruction)
    merge = _SplitConv(conv.weight.split(net.mid_channels, 1), conv.bias)
    head = ConvChain(
        [
            _shuffling(net.upsample1, slope),
            _shuffling(net.upsample2, slope),
            Link(net.conv_hr.weight, net.conv_hr.bias, slope),
            Link(net.conv_last.weight, net.conv_last.bias),
        ]
    )

    def restore(frame: Tensor, *parts: Tensor) -> Tensor:
        hr = head(blocks(F.leaky_relu_(merge(parts), slope)))
        if net.is_low_res_input:
            frame = F.interpolate(frame, scale_factor=4, mode='bilinear', align_corners=False)
        return frame + hr

    by_frame = zip(lqs.unbind(1), *feats, strict=True)
    return torch.stack(
        [maybe_checkpoint(segment is not None, restore, *one) for one in by_frame], 1
    )


class _SplitConv:
    """The 3×3 convolution of concatenated inputs, computed part by part; for many calls with the
    same weights.
    """

    def __init__(self, weights: Sequence[Tensor], bias: Tensor | None):
        first, *more = weights
        self.convs = [
            ConvChain([Link(first, bias)]),
            *(ConvChain([Link(weight, None)]) for weight in more),
        ]

    def __call__(self, parts: Sequence[Tensor]) -> Tensor:
        out = self.convs[0](parts[0])
        for part, conv in zip(parts[1:], self.convs[1:], strict=True):
            out = conv(part, out)
        return out


def _blocks(module: ResidualBlocksWithInputConv) -> ResidualChain | nn.Identity:
    """The residual blocks as one step of the graph, for many calls with the same weights."""
    if not module.blocks:
        return nn.Identity()
    parts = [
        part
        for block in module.blocks
        for conv in (block.conv1, block.conv2)
        for part in (conv.weight, conv.bias)
    ]
    return ResidualChain(parts, module.blocks[0].res_scale)


def _shuffling(layer: PixelShufflePack, slope: float) -> Link:
    """The layer with its filters sorted by position, so that whole runs of channels are moved."""
    cell = layer.scale_factor**2
    conv = layer.upsample_conv
    weight = conv.weight.unflatten(0, (-1, cell)).transpose(0, 1).flatten(0, 1)
    bias = None if conv.bias is None else conv.bias.view(-1, cell).t().flatten()
    return Link(weight, bias, slope, layer.scale_factor)
