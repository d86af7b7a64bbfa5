"""What a clip must look like before BasicVSR++ sees it, and what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from lada.errors import LadaError

if TYPE_CHECKING:
    from lada.models.basicvsrpp.alignment import SecondOrderDeformableAlignment
    from lada.models.basicvsrpp.net import BasicVSRPlusPlusNet

MIN_FLOW_SIZE = 64


def check_clip(clip: Tensor, *, downsampled: bool, device: torch.device) -> None:
    """Raise :class:`LadaError` unless ``clip`` is a float (N, T, 3, H, W) on ``device`` and large
    enough.

    The flow network needs 64×64 pixels. ``downsampled``: it works at a quarter of the size, so that
    the sides must be multiples of 4 and at least 256.
    """
    shape = tuple(clip.shape)
    if clip.dim() != 5 or clip.shape[2] != 3 or 0 in shape:
        raise LadaError(
            f'wrong input shape: {shape}; a batch of clips must be (N, T, 3, H, W), none of them 0'
        )
    if not clip.is_floating_point():
        raise LadaError(
            f'wrong input type: {clip.dtype} of shape {shape}; frames must be floating point in [0,'
            ' 1] (the data preprocessor converts uint8)'
        )
    if clip.device != device:
        raise LadaError(
            f'mixed devices: input of shape {shape} on {clip.device}, weights on {device}; '
            'move both to one device'
        )
    height, width = shape[3:]
    factor = 4 if downsampled else 1
    if height % factor or width % factor:
        raise LadaError(
            f'wrong input size: {height}x{width} (shape {shape}); height and width must be'
            ' divisible by 4; pad or crop the frames'
        )
    smallest = MIN_FLOW_SIZE * factor
    if height < smallest or width < smallest:
        raise LadaError(
            f'input too small: {height}x{width} (shape {shape}); height and width must be at least '
            f'{smallest}, because the flow network needs 64x64; use larger frames'
        )


def is_mirrored(clip: Tensor) -> bool:
    """Whether the second half of a clip (N, T, ...) is its first half backwards, as test-time
    extension makes it: flows in one direction then tell those in the other.
    """
    # A graph of torch.compile cannot depend on values.
    if clip.shape[1] % 2 or torch.compiler.is_compiling():
        return False
    first, second = clip.chunk(2, dim=1)
    return torch.equal(first, second.flip(1))


def quarter_size(clip: Tensor) -> Tensor:
    """Return a clip (N, T, 3, H, W) at a quarter of its height and width, as features have."""
    small = F.interpolate(clip.flatten(0, 1), scale_factor=0.25, mode='bicubic')
    return small.unflatten(0, clip.shape[:2])


def activation_bytes(net: BasicVSRPlusPlusNet, clip: Tensor) -> float:
    """Return about how much memory the activations of one frame take until the backward pass.

    Args:
        net: the network.
        clip: (N, T, 3, H, W), what it restores.
    """
    n, _, _, h, w = clip.shape
    low = n * h * w / (1 if net.is_low_res_input else 16)
    # Two activations for each residual block; samples, offsets, masks and what they come from; the
    # upsampling's large pictures.
    channels, head = net.mid_channels, net.conv_hr.in_channels
    groups = cast('SecondOrderDeformableAlignment', net.deform_align['forward_1']).deform_groups
    values = low * (
        channels * (2 * 4 * net.num_blocks + 60)
        + 4 * 119 * groups
        + 16 * head * 3
        + 4 * channels * 2
    )
    return values * (2 if torch.is_autocast_enabled(clip.device.type) else 4)
