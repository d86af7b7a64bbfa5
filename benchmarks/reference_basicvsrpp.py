"""The reference of the benchmark: BasicVSR++ computed step by step as its authors published it.

Inputs of every convolution are concatenated, each direction has its own flow call, frames are
visited one at a time, and the alignment is torchvision's compiled operator. It runs on the weights
of a :class:`lada.models.BasicVSRPlusPlusNet`, so that both paths can be compared number by number.
"""

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import deform_conv2d

from lada.models import BasicVSRPlusPlusNet, flow_warp
from lada.models.basicvsrpp.initialization import LEAKY_SLOPE
from lada.models.basicvsrpp.net import BRANCHES


def reference_forward(net: BasicVSRPlusPlusNet, clips: Tensor) -> Tensor:
    """What ``net(clips)`` returns, (N, T, 3, H, W) to (N, T, 3, H', W')."""
    n, t, c, h, w = clips.shape
    small = clips
    if not net.is_low_res_input:
        small = F.interpolate(clips.view(-1, c, h, w), scale_factor=0.25, mode='bicubic')
        small = small.view(n, t, c, h // 4, w // 4)
    spatial = net.feat_extract(clips.view(-1, c, h, w))
    spatial = spatial.view(n, t, *spatial.shape[1:])
    flows_forward, flows_backward = _flows(net, small)
    feats = {'spatial': list(spatial.unbind(1))}
    for branch in BRANCHES:
        flows = flows_backward if branch.startswith('backward') else flows_forward
        feats[branch] = _propagate(net, feats, flows, branch)
    return torch.stack(
        [_restore(net, clips[:, i], [feats[name][i] for name in feats]) for i in range(t)], dim=1
    )


def _flows(net: BasicVSRPlusPlusNet, small: Tensor) -> tuple[Tensor, Tensor]:
    n, t, c, h, w = small.shape
    here, there = small[:, :-1].reshape(-1, c, h, w), small[:, 1:].reshape(-1, c, h, w)
    return net.spynet(there, here).view(n, t - 1, 2, h, w), net.spynet(here, there).view(
        n, t - 1, 2, h, w
    )


def _propagate(
    net: BasicVSRPlusPlusNet, feats: dict[str, list[Tensor]], flows: Tensor, branch: str
) -> list[Tensor]:
    t = len(feats['spatial'])
    backward = branch.startswith('backward')
    visited: list[Tensor] = []
    prop = torch.zeros_like(feats['spatial'][0])
    for step, i in enumerate(range(t)[::-1] if backward else range(t)):
        if step > 0:
            flow_1 = flows[:, i if backward else i - 1]
            warped_1 = flow_warp(prop, flow_1.permute(0, 2, 3, 1))
            before, flow_2, warped_2 = (
                torch.zeros_like(prop),
                torch.zeros_like(flow_1),
                torch.zeros_like(prop),
            )
            if step > 1:
                before = visited[-2]
                flow_2 = flows[:, i + 1 if backward else i - 2]
                flow_2 = flow_1 + flow_warp(flow_2, flow_1.permute(0, 2, 3, 1))
                warped_2 = flow_warp(before, flow_2.permute(0, 2, 3, 1))
            guide = torch.cat([warped_1, feats['spatial'][i], warped_2], dim=1)
            prop = _align(net, branch, torch.cat([prop, before], dim=1), guide, flow_1, flow_2)
        inputs = torch.cat([feats[name][i] for name in feats] + [prop], dim=1)
        prop = prop + _blocks(net.backbone[branch], inputs)
        visited.append(prop)
    return visited[::-1] if backward else visited


def _align(
    net: BasicVSRPlusPlusNet, branch: str, x: Tensor, guide: Tensor, flow_1: Tensor, flow_2: Tensor
) -> Tensor:
    layer = net.deform_align[branch]
    first, second, mask = layer.conv_offset(torch.cat([guide, flow_1, flow_2], dim=1)).chunk(
        3, dim=1
    )
    first, second = (
        layer.max_residue_magnitude * torch.tanh(torch.cat([first, second], dim=1))
    ).chunk(2, dim=1)
    first = first + flow_1.flip(1).repeat(1, first.shape[1] // 2, 1, 1)
    second = second + flow_2.flip(1).repeat(1, second.shape[1] // 2, 1, 1)
    offset, mask = torch.cat([first, second], dim=1), torch.sigmoid(mask)
    with torch.autocast(x.device.type, enabled=False):
        return deform_conv2d(
            x.float(), offset.float(), layer.weight, layer.bias, padding=1, mask=mask.float()
        )


def _blocks(module: torch.nn.Module, x: Tensor) -> Tensor:
    conv, _, blocks = module.main
    x = F.leaky_relu_(conv(x), LEAKY_SLOPE)
    for block in blocks:
        x = x + block.conv2(F.relu_(block.conv1(x)))
    return x


def _restore(net: BasicVSRPlusPlusNet, frame: Tensor, feats: list[Tensor]) -> Tensor:
    x = _blocks(net.reconstruction, torch.cat(feats, dim=1))
    for layer in (net.upsample1, net.upsample2):
        x = F.leaky_relu_(F.pixel_shuffle(layer.upsample_conv(x), layer.scale_factor), LEAKY_SLOPE)
    x = net.conv_last(F.leaky_relu_(net.conv_hr(x), LEAKY_SLOPE))
    if net.is_low_res_input:
        frame = F.interpolate(frame, scale_factor=4, mode='bilinear', align_corners=False)
    return x + frame
