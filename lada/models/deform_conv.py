"""Modulated deformable convolution (Zhu et al. 2019, "Deformable ConvNets v2").

Two implementations with the same values. ``torchvision`` is the compiled operator, fast on CUDA. ``sampling`` reads
all positions with one bilinear ``grid_sample`` and multiplies once; on a CPU it is several times faster, most of all in
the backward pass, deterministic, and keeps no columns: the backward pass computes them again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torchvision.ops import deform_conv2d

IMPLEMENTATIONS = ('torchvision', 'sampling')
_forced: ContextVar[str | None] = ContextVar('deform_conv_implementation', default=None)


def modulated_deform_conv2d(x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, bias: Tensor | None = None, *,
                            stride: int = 1, padding: int = 0, dilation: int = 1,
                            implementation: str | None = None) -> Tensor:
    """Return the convolution of ``x`` sampled at shifted positions.

    ``x``: (N, C, H, W). ``offset``: (N, 2·G·K, Ho, Wo), for each of G groups of input channels and each of the K
    kernel positions the vertical and the horizontal shift in pixels. ``mask``: (N, G·K, Ho, Wo), a factor for each
    sample. ``weight``: (O, C, kh, kw). Samples outside the image are zero. ``implementation`` is one of
    :data:`IMPLEMENTATIONS`, or ``None``: what :func:`use_implementation` says, else ``torchvision`` on CUDA and
    ``sampling`` elsewhere. Raises :class:`ValueError` for shapes that do not fit.
    """
    kernel = weight.shape[2] * weight.shape[3]
    groups = mask.shape[1] // kernel
    _check(x, offset, mask, weight, groups, kernel)
    if choose_implementation(x.device, implementation) == 'torchvision':
        # The operator knows no autocast rule for mixed types; offsets stay in float32 through the whole call.
        with torch.autocast(x.device.type, enabled=False):
            out = deform_conv2d(x.to(offset.dtype), offset, weight.to(offset.dtype),
                                None if bias is None else bias.to(offset.dtype), stride, padding, dilation,
                                mask.to(offset.dtype))
        return out.to(x.dtype)
    return _SampledConv.apply(x, offset, mask, weight, bias, stride, padding, dilation)


@contextmanager
def use_implementation(name: str | None) -> Iterator[None]:
    """Choose the implementation for every call inside the ``with`` block (``None``: by device)."""
    choose_implementation(torch.device('cpu'), name)
    token = _forced.set(name)
    try:
        yield
    finally:
        _forced.reset(token)


def choose_implementation(device: torch.device, implementation: str | None = None) -> str:
    """Return the implementation that a call on ``device`` uses."""
    name = implementation or _forced.get() or ('torchvision' if device.type == 'cuda' else 'sampling')
    if name not in IMPLEMENTATIONS:
        raise ValueError(f'deformable convolution: unknown implementation {name!r}; '
                         f'choose one of {", ".join(IMPLEMENTATIONS)}')
    return name


def _check(x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, groups: int, kernel: int) -> None:
    fits = (x.dim() == offset.dim() == mask.dim() == weight.dim() == 4 and groups > 0
            and mask.shape[1] == groups * kernel and offset.shape[1] == 2 * groups * kernel
            and x.shape[1] % groups == 0 and weight.shape[1] == x.shape[1]
            and offset.shape[2:] == mask.shape[2:] and x.shape[0] == offset.shape[0] == mask.shape[0])
    if not fits:
        raise ValueError(
            f'deformable convolution: input {tuple(x.shape)}, offset {tuple(offset.shape)}, mask {tuple(mask.shape)} '
            f'and weight {tuple(weight.shape)} do not fit; they must be (N, C, H, W), (N, 2*G*K, Ho, Wo), '
            '(N, G*K, Ho, Wo) and (O, C, kh, kw) with C divisible by G')


class _SampledConv(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, offset, mask, weight, bias, stride, padding, dilation):
        ctx.geometry = (stride, padding, dilation)
        ctx.save_for_backward(x, offset, mask, weight)
        ctx.has_bias = bias is not None
        grid = _grid(offset, x.shape[2:], weight.shape[2:], ctx.geometry)
        columns = _columns(x, grid, mask)[1]
        out = torch.matmul(weight.reshape(weight.shape[0], -1).to(columns.dtype), columns)
        if bias is not None:
            out += bias.to(out.dtype)[:, None]
        return out.view(x.shape[0], weight.shape[0], *offset.shape[2:]).to(x.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_out):
        x, offset, mask, weight = ctx.saved_tensors
        batch, channels, height, width = x.shape
        out_size = offset.shape[2:]
        kernel = weight.shape[2] * weight.shape[3]
        groups = mask.shape[1] // kernel
        grid = _grid(offset, (height, width), weight.shape[2:], ctx.geometry)
        samples, columns = _columns(x, grid, mask)

        grad = grad_out.reshape(batch, weight.shape[0], -1).to(columns.dtype)
        flat = weight.reshape(weight.shape[0], -1).to(columns.dtype)
        grad_weight = torch.matmul(grad, columns.transpose(1, 2)).sum(0).view_as(weight).to(weight.dtype)
        grad_bias = grad.sum((0, 2)) if ctx.has_bias else None
        grad_columns = torch.matmul(flat.t(), grad)

        by_group = (batch, groups, channels // groups, kernel, -1)
        grad_columns = grad_columns.view(by_group)
        grad_mask = (grad_columns * samples.view(by_group)).sum(2)
        grad_samples = grad_columns.mul_(mask.reshape(batch, groups, 1, kernel, -1))
        grad_x, grad_grid = torch.ops.aten.grid_sampler_2d_backward(
            grad_samples.view(samples.shape), _grouped(x, groups, grid.dtype), grid, 0, 0, False, [True, True])

        grad_grid = grad_grid.view(batch, groups, kernel, *out_size, 2)
        grad_offset = torch.stack((grad_grid[..., 1] * (2 / height), grad_grid[..., 0] * (2 / width)), dim=3)
        return (grad_x.reshape(x.shape).to(x.dtype), grad_offset.reshape(offset.shape).to(offset.dtype),
                grad_mask.reshape(mask.shape).to(mask.dtype), grad_weight, grad_bias, None, None, None)


def _columns(x: Tensor, grid: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return the raw samples (N·G, C/G, K·Ho, Wo) and the weighted columns (N, C·K, Ho·Wo)."""
    batch, channels = x.shape[:2]
    groups = grid.shape[0] // batch
    kernel = mask.shape[1] // groups
    samples = torch.grid_sampler_2d(_grouped(x, groups, grid.dtype), grid, 0, 0, False)
    columns = samples.view(batch, groups, channels // groups, kernel, -1) * mask.reshape(batch, groups, 1, kernel, -1)
    return samples, columns.view(batch, channels * kernel, -1)


def _grouped(x: Tensor, groups: int, dtype: torch.dtype) -> Tensor:
    batch, channels, height, width = x.shape
    return x.reshape(batch * groups, channels // groups, height, width).to(dtype)


def _grid(offset: Tensor, size: tuple[int, int], kernel_size: tuple[int, int],
          geometry: tuple[int, int, int]) -> Tensor:
    """Return the grid (N·G, K·Ho, Wo, 2) of ``grid_sample(align_corners=False)``, stored in planes of x and y."""
    batch, _, out_height, out_width = offset.shape
    height, width = size
    kernel = kernel_size[0] * kernel_size[1]
    groups = offset.shape[1] // (2 * kernel)
    dtype = offset.dtype if offset.dtype == torch.float64 else torch.float32
    base_x, base_y = _base_positions(height, width, out_height, out_width, *kernel_size, *geometry,
                                     offset.device, dtype)
    offset = offset.view(batch * groups, kernel, 2, out_height, out_width)
    planes = torch.empty(batch * groups, 2, kernel, out_height, out_width, dtype=dtype, device=offset.device)
    torch.add(base_x, offset[:, :, 1].to(dtype), alpha=2 / width, out=planes[:, 0])
    torch.add(base_y, offset[:, :, 0].to(dtype), alpha=2 / height, out=planes[:, 1])
    return planes.view(batch * groups, 2, kernel * out_height, out_width).permute(0, 2, 3, 1)


@lru_cache(maxsize=16)
def _base_positions(height: int, width: int, out_height: int, out_width: int, kernel_height: int, kernel_width: int,
                    stride: int, padding: int, dilation: int, device: torch.device,
                    dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Undisplaced positions, normalised, x as (K, 1, Wo) and y as (K, Ho, 1)."""
    with torch.inference_mode(False), torch.no_grad():
        tap = torch.arange(kernel_height * kernel_width, dtype=torch.float64)
        x = (tap % kernel_width * dilation - padding)[:, None, None] \
            + (torch.arange(out_width, dtype=torch.float64) * stride)[None, None, :]
        y = (tap.div(kernel_width, rounding_mode='floor') * dilation - padding)[:, None, None] \
            + (torch.arange(out_height, dtype=torch.float64) * stride)[None, :, None]
        return ((2 * x + 1) / width - 1).to(device, dtype), ((2 * y + 1) / height - 1).to(device, dtype)
