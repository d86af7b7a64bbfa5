"""Modulated deformable convolution (Zhu et al. 2019, "Deformable ConvNets v2").

Two implementations with the same values. ``torchvision`` is the compiled operator, fast on CUDA. ``sampling`` gathers
rows of channels (:mod:`lada.models.row_sampling`) and multiplies; its backward pass goes through ``grid_sample``. On a
CPU it is several times faster, most of all in the backward pass, deterministic, and keeps no columns: the backward pass
computes them again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torchvision.ops import deform_conv2d

from lada.models.layout import planes
from lada.models.row_sampling import padded, pixel_positions, sample_rows

IMPLEMENTATIONS = ('torchvision', 'sampling')
# Positions sampled at once: what lies between stays in the second-level cache.
STRIP = 512
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
    batch, _, height, width = mask.shape
    shifts = offset.view(batch, groups, kernel, 2, height, width).permute(0, 4, 5, 3, 1, 2).flip(3)
    places = torch.cat([shifts, mask.view(batch, groups, 1, kernel, height, width).permute(0, 4, 5, 2, 1, 3)], 3)
    base = pixel_positions(height, width, offset.device, offset.dtype, stride)[..., None]
    return sampled_conv(x, base.expand(batch, *base.shape), places, weight, bias, padding, dilation)


def sampled_conv(x: Tensor, base: Tensor, places: Tensor, weight: Tensor, bias: Tensor | None, padding: int,
                 dilation: int, reach: float = 1.0, table: Tensor | None = None) -> Tensor:
    """The ``sampling`` implementation, with its inputs as it wants them.

    ``x``: (N, C, H, W). ``places``: (N, Ho, Wo, 3, G, K), horizontal shift, vertical shift and factor of each sample;
    shifts are multiplied by ``reach`` and added to ``base`` (N, Ho, Wo, 2, F), in pixels, of which each serves G/F
    groups. ``table``: ``x`` as :func:`lada.models.row_sampling.padded` tables where the caller has them. Returns
    (N, O, Ho, Wo), stored channels last.
    """
    return _SampledConv.apply(x, base, places, weight, bias, padding, dilation, reach, table)


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

    Multiplications run in the input's type (bfloat16 under autocast), positions and interpolation in float32 at least.
    """

    @staticmethod
    def forward(ctx, x, base, places, weight, bias, padding, dilation, reach, table):
        ctx.save_for_backward(x, base, places, weight)
        ctx.geometry = (padding, dilation, reach)
        ctx.has_bias = bias is not None
        batch, height, width, _, groups, kernel = places.shape
        if table is None:
            table = padded(x, places.dtype)
        # One more than in the image: the tables have a border.
        taps = _taps(weight.shape[2:], padding, dilation, places.dtype, places.device)[:, None] + 1
        taps = taps.repeat(1, groups, 1)
        flat = weight.view(len(weight), groups, -1, kernel).transpose(2, 3).reshape(len(weight), -1).to(x.dtype)
        bias = None if bias is None else bias.to(x.dtype)
        rows = []
        for sample in range(batch):
            for at, shift in zip(base[sample].flatten(0, 1).split(STRIP), places[sample].flatten(0, 1).split(STRIP),
                                 strict=True):
                where = torch.add(at[..., None], shift[:, :2].view(*at.shape, -1), alpha=reach)
                where = where.view_as(shift[:, :2]).add_(taps)
                columns = sample_rows(table[sample], where, shift[:, 2])
                rows.append(_product(columns.view(len(columns), -1).to(x.dtype), flat, bias))
        return torch.cat(rows).view(batch, height, width, -1).permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_out):
        x, base, places, weight = ctx.saved_tensors
        padding, dilation, reach = ctx.geometry
        batch, channels, height, width = x.shape
        _, out_height, out_width, _, groups, kernel = places.shape
        area, out_channels, depth = out_height * out_width, len(weight), channels // groups
        wants_x, wants_base = ctx.needs_input_grad[:2]
        flat = weight.reshape(out_channels, -1).to(x.dtype)
        rows = grad_out.permute(0, 2, 3, 1).reshape(batch, area, out_channels).to(x.dtype)
        taps = _taps(weight.shape[2:], padding, dilation, places.dtype, places.device)
        per_pixel = (2 / width, 2 / height)
        # grid_sample works on groups in parallel; a few at a time keep the columns small enough for the caches.
        at_once = max(4, torch.get_num_threads())

        grad_x = x.new_empty(batch, groups, depth, height, width, dtype=places.dtype) if wants_x else None
        grad_base = torch.empty_like(base) if wants_base else None
        grad_places = torch.empty_like(places, memory_format=torch.contiguous_format)
        grad_weight = torch.zeros_like(flat, dtype=weight.dtype)
        for sample in range(batch):
            image = planes(x[sample, None]).view(groups, depth, height, width).to(places.dtype)
            shifts = places[sample].view(1, out_height, out_width, -1).permute(0, 3, 1, 2).contiguous()
            shifts = shifts.view(3, base.shape[-1], -1, kernel, area)
            grid = torch.empty_like(shifts[:2].movedim(0, 2), memory_format=torch.contiguous_format)
            for axis, scale in enumerate(per_pixel):
                # Normalised for grid_sample(align_corners=False).
                where = base[sample, ..., axis, :].reshape(area, -1).t()[:, None] + taps[axis, :, None]
                where = where.contiguous().add_(0.5).mul_(scale).sub_(1)[:, None]
                torch.add(where, shifts[axis], alpha=scale * reach, out=grid[:, :, axis])
            grid = grid.view(groups, 2, kernel, area).permute(0, 2, 3, 1)
            shifts = shifts.view(3, groups, kernel, area)
            columns_of = rows[sample].t().contiguous()
            grad_shifts = torch.empty_like(shifts)
            for start in range(0, groups, at_once):
                chosen = slice(start, min(start + at_once, groups))
                taken = slice(chosen.start * depth * kernel, chosen.stop * depth * kernel)
                factor = shifts[2, chosen][:, None]
                samples = torch.grid_sampler_2d(image[chosen], grid[chosen], 0, 0, False)
                grad_columns = _product(flat[:, taken].t().contiguous(), rows[sample])
                grad_columns = grad_columns.to(samples.dtype).view(samples.shape)
                torch.sum(grad_columns * samples, 1, out=grad_shifts[2, chosen])
                columns = samples.mul_(factor).view(taken.stop - taken.start, area).to(x.dtype)
                grad_weight[:, taken] += _product(columns_of, columns)
                part_grad_x, grad_grid = torch.ops.aten.grid_sampler_2d_backward(
                    grad_columns.mul_(factor), image[chosen], grid[chosen], 0, 0, False, [wants_x, True])
                if wants_x:
                    grad_x[sample, chosen] = part_grad_x
                for axis, scale in enumerate(per_pixel):
                    torch.mul(grad_grid[..., axis], scale * reach, out=grad_shifts[axis, chosen])
            grad_places[sample].view(area, -1).copy_(grad_shifts.view(-1, area).t())
            if wants_base:
                parts = grad_shifts[:2].view(2, base.shape[-1], -1, area).sum(2).permute(2, 0, 1) / reach
                grad_base[sample] = parts.view(base.shape[1:])
        grad_bias = rows.sum((0, 1), dtype=weight.dtype) if ctx.has_bias else None
        return (grad_x.view(x.shape).to(x.dtype) if wants_x else None, grad_base, grad_places,
                grad_weight.view(weight.shape), grad_bias, None, None, None, None)


def _product(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """``a @ b.t() + bias`` for matrices (M, K) and (N, K)."""
    if a.dtype == torch.float32 and a.device.type == 'cpu' and torch.backends.mkldnn.is_available():
        # float32 matmul goes to MKL, which multiplies at 0.4 times oneDNN's rate on AMD processors with AVX-512.
        return torch.ops.mkldnn._linear_pointwise(a, b, bias, 'none', [], '')
    return torch.mm(a, b.t()) if bias is None else torch.addmm(bias, a, b.t())


def _taps(kernel_size: tuple[int, int], padding: int, dilation: int, dtype: torch.dtype,
          device: torch.device) -> Tensor:
    """How far the kernel's K taps are from where it stands, (2, K), horizontal and vertical."""
    return (pixel_positions(*kernel_size, device, dtype, dilation) - padding).flatten(0, 1).t()
