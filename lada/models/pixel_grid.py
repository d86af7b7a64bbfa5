"""Positions of pixels, and the grids that ``grid_sample`` takes."""

from functools import lru_cache

import torch
from torch import Tensor


@lru_cache(maxsize=16)
def pixel_positions(
    height: int, width: int, device: torch.device, dtype: torch.dtype, step: int = 1
) -> Tensor:
    """Return the places of pixels that lie ``step`` apart, from 0 on: (H, W, 2), horizontal and
    vertical.
    """
    with torch.inference_mode(False), torch.no_grad():
        y, x = (torch.arange(size, dtype=dtype, device=device) * step for size in (height, width))
        return torch.stack(torch.meshgrid(x, y, indexing='xy'), -1)


def sampling_grid(flow: Tensor) -> Tensor:
    """Turn a flow (N, H, W, 2) in pixels into the grid of ``grid_sample(align_corners=True)``,
    float32 at least.
    """
    height, width = flow.shape[1:3]
    flow = flow.to(torch.promote_types(flow.dtype, torch.float32))
    scale, minus_one = grid_scale(height, width, flow.device, flow.dtype)
    # Adding in pixels first and scaling in one fused step keeps positions closest to those of exact
    # arithmetic.
    positions = pixel_positions(height, width, flow.device, flow.dtype) + flow
    return torch.addcmul(minus_one, positions, scale)


@lru_cache(maxsize=16)
def grid_scale(
    height: int, width: int, device: torch.device, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Return what :func:`sampling_grid` multiplies positions in pixels by, (2,), and adds then."""
    with torch.inference_mode(False), torch.no_grad():
        scale = torch.tensor([2 / max(width - 1, 1), 2 / max(height - 1, 1)], dtype=dtype)
        return scale.to(device), torch.tensor(-1, dtype=dtype, device=device)
