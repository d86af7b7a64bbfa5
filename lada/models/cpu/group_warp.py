"""Warping groups of channels on a processor."""

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from lada.models.cpu.layout import planes
from lada.models.cpu.row_sampling import padded, sample_rows
from lada.models.pixel_grid import grid_scale, pixel_positions, sampling_grid


def warp_groups(x: Tensor, flows: Tensor, table: Tensor | None = None) -> Tensor:
    """Warp each of F groups of channels along its own flow; zeros outside.

    Args:
        x: (N, C, H, W), stored channels last like the result.
        flows: (N, H, W, 2, F), horizontal then vertical, in pixels.
        table: ``x`` as :func:`lada.models.cpu.row_sampling.padded` tables where the caller has
            them.
    """
    return _GroupWarp.apply(x, flows, table)


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
            grad_grid = grad_grid.mul_(grid_scale(h, w, flows.device, flows.dtype)[0])
            grad_grid = grad_grid.view(n, -1, h, w, 2).permute(0, 2, 3, 4, 1)
        return grad_x, grad_grid, None
