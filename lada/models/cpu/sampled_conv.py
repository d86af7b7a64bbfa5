"""The deformable convolution on a CPU: sampling, then matrix products.

Without gradients rows of channels are gathered (:mod:`lada.models.cpu.row_sampling`), the faster
way forward; with them ``grid_sample`` samples planes, because its backward pass is the fastest
there is.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from lada.models.cpu.layout import planes
from lada.models.cpu.onednn import product
from lada.models.cpu.row_sampling import padded, sample_rows
from lada.models.pixel_grid import pixel_positions

# Positions sampled at once: with fewer the calls cost more (512: 3 % of inference), with more the
# caches miss more.
STRIP = 1024


def sampled_conv(
    x: Tensor,
    base: Tensor,
    places: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    padding: int,
    dilation: int,
    reach: float | None = None,
    table: Tensor | None = None,
) -> Tensor:
    """Return the modulated deformable convolution of ``x``, its inputs laid out as sampling wants
    them.

    ``x``: (N, C, H, W). ``places``: (N, Ho, Wo, 3, G, K), horizontal shift, vertical shift and
    factor of each sample; shifts are added to ``base`` (N, Ho, Wo, 2, F), in pixels, of which each
    serves G/F groups. With a ``reach``, places are a network's raw output: all go through a
    sigmoid, and shifts are multiplied by ``reach`` then. ``table``: ``x`` as
    :func:`lada.models.cpu.row_sampling.padded` tables where the caller has them. Returns (N, O, Ho,
    Wo), stored channels last.
    """
    parts = (x, base, places, weight, bias)
    if torch.is_grad_enabled() and any(part is not None and part.requires_grad for part in parts):
        return _SampledConv.apply(*parts, padding, dilation, reach)
    return _by_rows(*parts, padding, dilation, reach, table)


def _by_rows(
    x: Tensor,
    base: Tensor,
    places: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    padding: int,
    dilation: int,
    reach: float | None,
    table: Tensor | None,
) -> Tensor:
    """The faster forward pass where no gradient is wanted."""
    batch, height, width, _, groups, kernel = places.shape
    wide = torch.promote_types(places.dtype, torch.float32)
    if table is None:
        table = padded(x, wide)
    # One more than in the image: the tables have a border.
    taps = (_taps(weight.shape[2:], padding, dilation, wide, places.device)[:, None] + 1).repeat(
        1, groups, 1
    )
    flat = (
        weight.view(len(weight), groups, -1, kernel)
        .transpose(2, 3)
        .reshape(len(weight), -1)
        .to(x.dtype)
    )
    bias = None if bias is None else bias.to(x.dtype)
    rows = []
    for sample in range(batch):
        for at, shift in zip(
            base[sample].flatten(0, 1).split(STRIP),
            places[sample].flatten(0, 1).split(STRIP),
            strict=True,
        ):
            shift = shift.to(wide) if reach is None else torch.sigmoid(shift.to(wide))
            where = torch.add(
                at[..., None], shift[:, :2].view(*at.shape, -1), alpha=1 if reach is None else reach
            )
            where = where.view_as(shift[:, :2]).add_(taps)
            columns = sample_rows(table[sample], where, shift[:, 2])
            rows.append(product(columns.view(len(columns), -1).to(x.dtype), flat, bias))
    return torch.cat(rows).view(batch, height, width, -1).permute(0, 3, 1, 2)


class _SampledConv(torch.autograd.Function):
    """Samples plane by plane with ``grid_sample``, whose backward pass adds the gradients up.

    Multiplications run in the input's type (bfloat16 under autocast), positions and interpolation
    in float32 at least. The samples are kept for the backward pass in the input's type; sampling
    again took a sixth of its time.
    """

    @staticmethod
    def forward(ctx, x, base, places, weight, bias, padding, dilation, reach):
        batch, height, width, _, groups, kernel = places.shape
        wide = torch.promote_types(places.dtype, torch.float32)
        flat = weight.reshape(len(weight), -1).to(x.dtype)
        ctx.geometry = (padding, dilation, reach)
        ctx.places_type, ctx.has_bias = places.dtype, bias is not None
        samples = x.new_empty(batch, groups, x.shape[1] // groups, kernel, height * width)
        planar, outs = [], []
        for index in range(batch):
            shifts = (
                places[index].view(1, height, width, -1).permute(0, 3, 1, 2).contiguous().to(wide)
            )
            shifts = (shifts if reach is None else shifts.sigmoid()).view(3, groups, kernel, -1)
            planar.append(shifts)
            grid = _grid(
                base[index], shifts, weight.shape[2:], padding, dilation, reach, x.shape[2:]
            )
            image = planes(x[index, None]).view(groups, -1, *x.shape[2:]).to(wide)
            for chosen in _parts(groups):
                part = torch.grid_sampler_2d(image[chosen], grid[chosen], 0, 0, False)
                if reach is not None:
                    part.mul_(shifts[2, chosen][:, None])
                samples[index, chosen] = part
            outs.append(product(flat, _columns(samples[index], shifts[2], reach).t()).t())
        ctx.save_for_backward(x, base, weight, torch.stack(planar), samples)
        out = torch.stack(outs)
        out = out if bias is None else out.add_(bias.to(out.dtype))
        return out.view(batch, height, width, -1).permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_out):
        x, base, weight, planar, samples = ctx.saved_tensors
        padding, dilation, reach = ctx.geometry
        batch, channels, height, width = x.shape
        groups, kernel, area = planar.shape[2:]
        wants_x, wants_base = ctx.needs_input_grad[:2]
        flat = weight.reshape(len(weight), -1).t().to(x.dtype).contiguous()
        rows = grad_out.permute(0, 2, 3, 1).reshape(batch, area, -1).to(x.dtype)
        grad_x = (
            x.new_empty(batch, groups, channels // groups, height, width, dtype=planar.dtype)
            if wants_x
            else None
        )
        grad_base = torch.empty_like(base) if wants_base else None
        grad_places = []
        grad_weight = torch.zeros_like(flat, dtype=weight.dtype)
        for index, shifts in enumerate(planar):
            columns = _columns(samples[index], shifts[2], reach)
            grad_weight += product(columns, rows[index].t().contiguous())
            del columns
            image = planes(x[index, None]).view(groups, -1, height, width).to(shifts.dtype)
            grid = _grid(
                base[index], shifts, weight.shape[2:], padding, dilation, reach, (height, width)
            )
            grad_shifts = torch.empty_like(shifts)
            for chosen in _parts(groups):
                kept = samples[index, chosen]
                grad_columns = product(
                    flat.view(groups, -1, flat.shape[1])[chosen].flatten(0, 1), rows[index]
                )
                grad_columns = grad_columns.to(shifts.dtype).view(kept.shape)
                torch.sum(grad_columns * kept, 1, out=grad_shifts[2, chosen])
                grad_columns.mul_(shifts[2, chosen][:, None])
                part_grad_x, grad_grid = torch.ops.aten.grid_sampler_2d_backward(
                    grad_columns, image[chosen], grid[chosen], 0, 0, False, [wants_x, True]
                )
                if grad_x is not None:
                    grad_x[index, chosen] = part_grad_x
                for axis, size in enumerate((width, height)):
                    torch.mul(grad_grid[..., axis], 2 / size, out=grad_shifts[axis, chosen])
            if grad_base is not None:
                parts = grad_shifts[:2].view(2, base.shape[-1], -1, area).sum(2).permute(2, 0, 1)
                grad_base[index] = parts.view(base.shape[1:])
            if reach is not None:
                # The factor is in the samples already: what is left of the sigmoid's derivative is
                # 1 - factor.
                grad_shifts[2].addcmul_(grad_shifts[2], shifts[2], value=-1)
                moves = torch.ops.aten.sigmoid_backward.grad_input(
                    grad_shifts[:2], shifts[:2], grad_input=grad_shifts[:2]
                )
                moves.mul_(reach)
            grad_places.append(grad_shifts.view(-1, area).to(ctx.places_type).t().contiguous())
        grad_bias = rows.sum((0, 1), dtype=weight.dtype) if ctx.has_bias else None
        grad_places = torch.stack(grad_places).view(*base.shape[:3], 3, groups, kernel)
        return (
            None if grad_x is None else grad_x.view(x.shape).to(x.dtype),
            grad_base,
            grad_places,
            grad_weight.t().reshape(weight.shape),
            grad_bias,
            None,
            None,
            None,
        )


def _parts(groups: int) -> list[slice]:
    """Groups to sample at once: grid_sample works on them in parallel, and a few at a time stay in
    the caches.
    """
    step = max(4, torch.get_num_threads())
    return [slice(start, min(start + step, groups)) for start in range(0, groups, step)]


def _columns(samples: Tensor, factor: Tensor, reach: float | None) -> Tensor:
    """Samples (G, C/G, K, P) times factors (G, K, P), which are in them already where there is a
    reach, as (C·K, P).
    """
    return (samples if reach is not None else samples * factor[:, None].to(samples.dtype)).flatten(
        0, 2
    )


def _grid(
    base: Tensor,
    shifts: Tensor,
    kernel_size: Sequence[int],
    padding: int,
    dilation: int,
    reach: float | None,
    size: tuple[int, int],
) -> Tensor:
    """Return positions (G, K, P, 2) normalised for ``grid_sample(align_corners=False)``, stored
    plane by plane.

    ``base``: (Ho, Wo, 2, F). ``shifts``: (3, G, K, P), of which the factors are not used.
    """
    groups, area = shifts.shape[1], shifts.shape[3]
    taps = _taps(kernel_size, padding, dilation, shifts.dtype, shifts.device)
    grid = torch.empty_like(shifts[:2])
    for axis, pixels in enumerate((size[1], size[0])):
        scale = 2 / pixels
        where = base[:, :, axis].reshape(area, -1).t()[:, None] + taps[axis, :, None]
        where = where.contiguous().add_(0.5).mul_(scale).sub_(1)
        where = where[:, None].expand(-1, groups // len(where), -1, -1)
        torch.add(
            where,
            shifts[axis].view(where.shape),
            alpha=scale if reach is None else scale * reach,
            out=grid[axis].view(where.shape),
        )
    return grid.permute(1, 2, 3, 0)


def _taps(
    kernel_size: Sequence[int],
    padding: int,
    dilation: int,
    dtype: torch.dtype,
    device: torch.device,
) -> Tensor:
    """How far the kernel's K taps are from where it stands, (2, K), horizontal and vertical."""
    return (pixel_positions(*kernel_size, device, dtype, dilation) - padding).flatten(0, 1).t()
