"""The flows of a clip, laid out as the propagation branches use them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from lada.models.cpu.layout import channels_last
from lada.models.pixel_grid import sampling_grid

if TYPE_CHECKING:
    from lada.models.basicvsrpp.spynet import SPyNet

# Without a graph, so many pixels of frame pairs go through the flow network at once.
FLOW_PIXELS = 2**20


class Motion(NamedTuple):
    """The flows of one direction, in the order in which its branches visit the frames.

    ``flows``: T-1 pairs of flows (N, h, w, 2, 2), horizontal and vertical to the last and the last
    but one visited frame (zero where there is none). ``both``: all of them, ((T-1)·N, 4, h, w), the
    first flow, then the second.
    """

    flows: tuple[Tensor, ...]
    both: Tensor


def motion_both_ways(spynet: SPyNet, clip: Tensor, is_mirror_extended: bool) -> dict[str, Motion]:
    """Return the motion for ``backward`` and ``forward`` branches.

    Args:
        spynet: the flow network.
        clip: (N, T, 3, h, w) in [0, 1].
        is_mirror_extended: the second half of the clip is its first half backwards.
    """
    pairs = clip.shape[0], clip.shape[1] - 1
    here, there = clip[:, :-1].flatten(0, 1), clip[:, 1:].flatten(0, 1)
    if is_mirror_extended:
        backward = _flow(spynet, here, there).unflatten(0, pairs)
        forward = backward.flip(1)
    else:
        both = _flow(spynet, torch.cat([there, here]), torch.cat([here, there]))
        forward, backward = both.unflatten(0, (2, *pairs))
    return {
        'backward': _second_order(backward.transpose(0, 1).flip(0)),
        'forward': _second_order(forward.transpose(0, 1)),
    }


def _flow(spynet: SPyNet, ref: Tensor, supp: Tensor) -> Tensor:
    """Flow of all pairs at once; without a graph while the network is frozen, and then in parts."""
    trains = torch.is_grad_enabled() and (
        ref.requires_grad or any(parameter.requires_grad for parameter in spynet.parameters())
    )
    if trains or not len(ref):
        return spynet(ref, supp, channels_last)
    count = max(1, FLOW_PIXELS // (ref.shape[2] * ref.shape[3]))
    with torch.no_grad():
        parts = zip(ref.split(count), supp.split(count), strict=True)
        return torch.cat([spynet(*part, channels_last) for part in parts])


def _second_order(flows: Tensor) -> Motion:
    """``flows``: (T-1, N, 2, h, w)."""
    steps, n, _, h, w = flows.shape
    second = torch.zeros_like(flows)
    if steps > 1:
        grid = sampling_grid(flows[1:].flatten(0, 1).permute(0, 2, 3, 1))
        further = F.grid_sample(flows[:-1].flatten(0, 1), grid, align_corners=True)
        second = torch.cat([second[:1], flows[1:] + further.view_as(flows[1:])])
    both = torch.stack([flows, second], 2)
    pairs = both.permute(0, 1, 4, 5, 3, 2).contiguous()
    return Motion(pairs.unbind(0), channels_last(both.view(steps * n, 4, h, w)))
