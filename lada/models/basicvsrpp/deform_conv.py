"""Modulated deformable convolution (Zhu et al. 2019, "Deformable ConvNets v2").

Two implementations with the same values. ``torchvision`` is the compiled operator, fast on CUDA.
``sampling`` samples, then multiplies (:mod:`lada.models.cpu.sampled_conv`): on a CPU it is several
times faster, most of all in the backward pass, and deterministic.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor
from torchvision.ops import deform_conv2d

from lada.models.cpu.row_sampling import pixel_positions
from lada.models.cpu.sampled_conv import sampled_conv

IMPLEMENTATIONS = ('torchvision', 'sampling')
_forced: ContextVar[str | None] = ContextVar('deform_conv_implementation', default=None)


def modulated_deform_conv2d(
    x: Tensor,
    offset: Tensor,
    mask: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    implementation: str | None = None,
) -> Tensor:
    """Return the convolution of ``x`` sampled at shifted positions.

    ``x``: (N, C, H, W). ``offset``: (N, 2·G·K, Ho, Wo), for each of G groups of input channels and
    each of the K kernel positions the vertical and the horizontal shift in pixels. ``mask``: (N,
    G·K, Ho, Wo), a factor for each sample. ``weight``: (O, C, kh, kw). Samples outside the image
    are zero. ``implementation`` is one of :data:`IMPLEMENTATIONS`, or ``None``: what
    :func:`use_implementation` says, else ``torchvision`` on CUDA and ``sampling`` elsewhere. Raises
    :class:`ValueError` for shapes that do not fit.
    """
    kernel = weight.shape[2] * weight.shape[3]
    groups = mask.shape[1] // kernel
    _check(x, offset, mask, weight, groups, kernel)
    if choose_implementation(x.device, implementation) == 'torchvision':
        # The operator knows no autocast rule for mixed types; offsets stay in float32 through the
        # whole call.
        with torch.autocast(x.device.type, enabled=False):
            out = deform_conv2d(
                x.to(offset.dtype),
                offset,
                weight.to(offset.dtype),
                None if bias is None else bias.to(offset.dtype),
                stride,
                padding,
                dilation,
                mask.to(offset.dtype),
            )
        return out.to(x.dtype)
    batch, _, height, width = mask.shape
    shifts = offset.view(batch, groups, kernel, 2, height, width).permute(0, 4, 5, 3, 1, 2).flip(3)
    places = torch.cat(
        [shifts, mask.view(batch, groups, 1, kernel, height, width).permute(0, 4, 5, 2, 1, 3)], 3
    )
    base = pixel_positions(height, width, offset.device, offset.dtype, stride)[..., None]
    return sampled_conv(x, base.expand(batch, *base.shape), places, weight, bias, padding, dilation)


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
    name = (
        implementation or _forced.get() or ('torchvision' if device.type == 'cuda' else 'sampling')
    )
    if name not in IMPLEMENTATIONS:
        raise ValueError(
            f'deformable convolution: unknown implementation {name!r}; '
            f'choose one of {", ".join(IMPLEMENTATIONS)}'
        )
    return name


def _check(
    x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, groups: int, kernel: int
) -> None:
    fits = (
        x.dim() == offset.dim() == mask.dim() == weight.dim() == 4
        and groups > 0
        and mask.shape[1] == groups * kernel
        and offset.shape[1] == 2 * groups * kernel
        and x.shape[1] % groups == 0
        and weight.shape[1] == x.shape[1]
        and offset.shape[2:] == mask.shape[2:]
        and x.shape[0] == offset.shape[0] == mask.shape[0]
    )
    if not fits:
        raise ValueError(
            f'deformable convolution: input {tuple(x.shape)}, offset {tuple(offset.shape)}, mask'
            f' {tuple(mask.shape)} and weight {tuple(weight.shape)} do not fit; they must be (N, C,'
            ' H, W), (N, 2*G*K, Ho, Wo), (N, G*K, Ho, Wo) and (O, C, kh, kw) with C divisible by G'
        )
