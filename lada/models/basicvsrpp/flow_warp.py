"""Sampling an image or feature map along an optical flow."""

import torch
import torch.nn.functional as F
from torch import Tensor

from lada.models.pixel_grid import sampling_grid


def flow_warp(
    x: Tensor,
    flow: Tensor,
    interpolation: str = 'bilinear',
    padding_mode: str = 'zeros',
    align_corners: bool = True,
) -> Tensor:
    """Return ``x`` sampled at each pixel's position plus its flow, in the type of ``x``.

    Sampling runs in the flow's type, float32 at least, under autocast too. Raises
    :class:`ValueError` when the sizes differ.

    Args:
        x: (N, C, H, W).
        flow: (N, H, W, 2), horizontal then vertical, in pixels.
        interpolation: as ``mode`` of ``torch.nn.functional.grid_sample``.
        padding_mode: as there.
        align_corners: as there. With False positions are still normalised by size - 1, as MMagic
            does: the values are the contract.
    """
    if x.shape[-2:] != flow.shape[1:3]:
        raise ValueError(
            f'flow_warp: image {tuple(x.shape)} and flow {tuple(flow.shape)} differ in height or'
            ' width; the flow must be (N, H, W, 2)'
        )
    grid = sampling_grid(flow)
    with torch.autocast(x.device.type, enabled=False):
        image = x.to(grid.dtype)
        return F.grid_sample(image, grid, interpolation, padding_mode, align_corners).to(x.dtype)
