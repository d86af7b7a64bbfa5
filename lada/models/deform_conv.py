"""Modulated deformable convolution (Zhu et al. 2019, "Deformable ConvNets v2").

Two implementations with the same values. ``torchvision`` is the compiled operator, fast on CUDA. ``sampling`` reads
all positions with one bilinear ``grid_sample`` and multiplies once; on a CPU it is several times faster, most of all in
the backward pass, deterministic, and keeps no columns: the backward pass computes them again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torchvision.ops import deform_conv2d

from lada.models.layout import channels_last

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
    """Saves its inputs only; the columns, nine times larger, are computed again for the backward pass.

    Groups are handled a few at a time, so that the columns stay small enough for the caches. Multiplications run in the
    input's type (bfloat16 under autocast), positions and interpolation in float32 at least.
    """

    @staticmethod
    def forward(ctx, x, offset, mask, weight, bias, stride, padding, dilation):
        ctx.geometry = (stride, padding, dilation)
        ctx.save_for_backward(x, offset, mask, weight)
        ctx.has_bias = bias is not None
        out_channels, out_size = weight.shape[0], offset.shape[2:]
        flat = weight.reshape(out_channels, -1).to(x.dtype)
        out = x.new_empty(x.shape[0], out_channels, out_size[0] * out_size[1])
        grids = _grid(offset, x.shape[2:], weight.shape[2:], ctx.geometry)
        for part in _parts(x, grids, mask, weight):
            columns = part.weighted_(part.samples()).to(x.dtype)
            product = _product(flat[:, part.rows], columns.t())
            if part.is_first:
                out[part.sample] = product
            else:
                out[part.sample] += product
        if bias is not None:
            out += bias.to(out.dtype)[:, None]
        # The next convolution wants channels last.
        return channels_last(out.view(-1, out_channels, *out_size))

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_out):
        x, offset, mask, weight = ctx.saved_tensors
        batch, channels, height, width = x.shape
        out_channels, out_size = weight.shape[0], offset.shape[2:]
        kernel = weight.shape[2] * weight.shape[3]
        groups = mask.shape[1] // kernel
        grids = _grid(offset, (height, width), weight.shape[2:], ctx.geometry)
        flat = weight.reshape(out_channels, -1).to(x.dtype)
        rows = grad_out.permute(0, 2, 3, 1).reshape(batch, -1, out_channels).to(x.dtype)
        planes = rows.transpose(1, 2).contiguous()

        grad_x = x.new_empty(batch, groups, channels // groups, height, width, dtype=grids.dtype)
        grad_mask = torch.empty_like(mask, memory_format=torch.contiguous_format).view(batch, groups, -1)
        grad_offset = offset.new_empty(batch, groups, kernel, 2, *out_size)
        grad_weight = torch.zeros_like(flat, dtype=weight.dtype)
        for part in _parts(x, grids, mask, weight):
            here = (part.sample, part.groups)
            samples = part.samples()
            grad_columns = _product(flat[:, part.rows].t().contiguous(), rows[part.sample]).to(samples.dtype)
            grad_columns = grad_columns.view(samples.shape)
            grad_mask[here] = (grad_columns * samples).sum(1).view(grad_mask[here].shape)
            columns = part.weighted_(samples).to(x.dtype)
            grad_weight[:, part.rows] += _product(planes[part.sample], columns)
            part.weighted_(grad_columns)
            part_grad_x, grad_grid = torch.ops.aten.grid_sampler_2d_backward(
                grad_columns, part.image, part.grid, 0, 0, False, [ctx.needs_input_grad[0], True])
            if part_grad_x is not None:
                grad_x[here] = part_grad_x
            grad_grid = grad_grid.view(-1, kernel, *out_size, 2)
            torch.mul(grad_grid[..., 1], 2 / height, out=grad_offset[here][:, :, 0])
            torch.mul(grad_grid[..., 0], 2 / width, out=grad_offset[here][:, :, 1])
        grad_bias = rows.sum((0, 1), dtype=weight.dtype) if ctx.has_bias else None
        return (grad_x.view(x.shape).to(x.dtype) if ctx.needs_input_grad[0] else None, grad_offset.view(offset.shape),
                grad_mask.view(mask.shape), grad_weight.view(weight.shape), grad_bias, None, None, None)


def _product(a: Tensor, b: Tensor) -> Tensor:
    """``a @ b.t()`` for matrices (M, K) and (N, K)."""
    if a.dtype == torch.float32 and a.device.type == 'cpu' and torch.backends.mkldnn.is_available():
        # float32 matmul goes to MKL, which multiplies at 0.4 times oneDNN's rate on AMD processors with AVX-512.
        return torch.ops.mkldnn._linear_pointwise(a, b, None, 'none', [], '')
    return torch.mm(a, b.t())


class _Part(NamedTuple):
    """Some groups of one sample: ``image`` (g, C/G, H, W), ``grid`` (g, K·Ho, Wo, 2) and ``mask`` (g, 1, K·Ho, Wo)."""

    sample: int
    groups: slice
    rows: slice
    image: Tensor
    grid: Tensor
    mask: Tensor

    @property
    def is_first(self) -> bool:
        return self.groups.start == 0

    def samples(self) -> Tensor:
        return torch.grid_sampler_2d(self.image, self.grid, 0, 0, False)

    def weighted_(self, samples: Tensor) -> Tensor:
        """Multiply by the mask in place and return the columns (g·C/G·K, Ho·Wo)."""
        kernel_area = self.rows.stop - self.rows.start
        return samples.mul_(self.mask).view(kernel_area, -1)


def _parts(x: Tensor, grids: Tensor, mask: Tensor, weight: Tensor) -> Iterator[_Part]:
    batch, channels, height, width = x.shape
    kernel = weight.shape[2] * weight.shape[3]
    groups = mask.shape[1] // kernel
    depth = channels // groups
    grids = grids.view(batch, groups, *grids.shape[1:])
    mask = mask.reshape(batch, groups, 1, *grids.shape[2:4]).to(grids.dtype)
    # grid_sample works on groups in parallel.
    size = max(4, torch.get_num_threads())
    for sample in range(batch):
        image = x[sample].reshape(groups, depth, height, width).to(grids.dtype)
        for start in range(0, groups, size):
            chosen = slice(start, min(start + size, groups))
            rows = slice(chosen.start * depth * kernel, chosen.stop * depth * kernel)
            yield _Part(sample, chosen, rows, image[chosen], grids[sample, chosen], mask[sample, chosen])


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
