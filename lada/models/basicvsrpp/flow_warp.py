"""Sampling an image or feature map along an optical flow."""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from lada.models.cpu.layout import planes
from lada.models.cpu.row_sampling import padded, pixel_positions, sample_rows


def flow_warp(
    x: Tensor,
    flow: Tensor,
    interpolation: str = 'bilinear',
    padding_mode: str = 'zeros',
    align_corners: bool = True,
) -> Tensor:
    """Return ``x`` sampled at each pixel's position plus its flow.

    ``x``: (N, C, H, W). ``flow``: (N, H, W, 2), horizontal then vertical, in pixels.
    ``padding_mode`` as in ``torch.nn.functional.grid_sample``. The sampling runs in the flow's type
    (float32 under autocast) and the result has the type of ``x``. Raises :class:`ValueError` when
    the sizes differ.
    """
    if x.shape[-2:] != flow.shape[1:3]:
        raise ValueError(
            f'flow_warp: image {tuple(x.shape)} and flow {tuple(flow.shape)} differ in height or'
            ' width; the flow must be (N, H, W, 2)'
        )
    if not align_corners or interpolation != 'bilinear':
        # With align_corners=False MMagic still normalises by size - 1; kept, because the values are
        # the contract.
        grid = sampling_grid(flow)
        return F.grid_sample(x.to(grid.dtype), grid, interpolation, padding_mode, align_corners).to(
            x.dtype
        )
    return warp_with_grid(x, sampling_grid(flow), padding_mode)


def sampling_grid(flow: Tensor) -> Tensor:
    """Turn a flow (N, H, W, 2) in pixels into the grid of ``grid_sample(align_corners=True)``,
    float32 at least.
    """
    height, width = flow.shape[1:3]
    flow = flow if flow.dtype == torch.float64 else flow.float()
    scale, minus_one = _normalising(height, width, flow.device, flow.dtype)
    # Adding in pixels first and scaling in one fused step keeps positions closest to those of exact
    # arithmetic.
    return torch.addcmul(
        minus_one, pixel_positions(height, width, flow.device, flow.dtype) + flow, scale
    )


def warp_with_grid(x: Tensor, grid: Tensor, padding_mode: str = 'zeros') -> Tensor:
    """Sample ``x`` (N, C, H, W) bilinearly at ``grid`` (N, H, W, 2); the result has the type of
    ``x``.
    """
    with torch.autocast(x.device.type, enabled=False):
        return F.grid_sample(x.to(grid.dtype), grid, 'bilinear', padding_mode, True).to(x.dtype)


def warp_groups(x: Tensor, flows: Tensor, table: Tensor | None = None) -> Tensor:
    """Warp each of F groups of channels along its own flow; zeros outside.

    ``x``: (N, C, H, W), stored channels last like the result. ``flows``: (N, H, W, 2, F),
    horizontal then vertical, in pixels. ``table``: ``x`` as
    :func:`lada.models.cpu.row_sampling.padded` tables where the caller has them.
    """
    if x.device.type == 'cpu':
        return _GroupWarp.apply(x, flows, table)
    grid = sampling_grid(flows.permute(0, 4, 1, 2, 3).flatten(0, 1))
    return warp_with_grid(x.reshape(len(grid), -1, *x.shape[2:]), grid).view(x.shape)


class _GroupWarp(torch.autograd.Function):
    """Forward by rows of channels, backward by ``grid_sample``'s."""

    @staticmethod
    def forward(ctx, x, flows, table):
        ctx.save_for_backward(x, flows)
        if table is None:
            table = padded(x, flows.dtype)
        n, c, h, w = x.shape
        # One more than in the image: the tables have a border.
        places = flows + (pixel_positions(h, w, flows.device, flows.dtype)[..., None] + 1)
        rows = [
            sample_rows(*one) for one in zip(table, places.view(n, h * w, 2, -1, 1), strict=True)
        ]
        return torch.stack(rows).view(n, h, w, c).permute(0, 3, 1, 2).to(x.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        x, flows = ctx.saved_tensors
        n, _, h, w = x.shape
        grid = sampling_grid(flows.permute(0, 4, 1, 2, 3).flatten(0, 1))
        grad, image = (planes(part).view(len(grid), -1, h, w).to(grid.dtype) for part in (grad, x))
        grad_x, grad_grid = torch.ops.aten.grid_sampler_2d_backward(
            grad, image, grid, 0, 0, True, list(ctx.needs_input_grad[:2])
        )
        if ctx.needs_input_grad[0]:
            grad_x = grad_x.view(x.shape).to(x.dtype)
        if ctx.needs_input_grad[1]:
            grad_grid = grad_grid.mul_(_normalising(h, w, flows.device, flows.dtype)[0])
            grad_grid = grad_grid.view(n, -1, h, w, 2).permute(0, 2, 3, 4, 1)
        return grad_x, grad_grid, None


@lru_cache(maxsize=16)
def _normalising(
    height: int, width: int, device: torch.device, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Return what to multiply positions in pixels by, and what to add then."""
    with torch.inference_mode(False), torch.no_grad():
        scale = torch.tensor([2 / max(width - 1, 1), 2 / max(height - 1, 1)], dtype=dtype)
        return scale.to(device), torch.tensor(-1, dtype=dtype, device=device)
