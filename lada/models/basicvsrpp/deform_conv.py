"""Modulated deformable convolution (Zhu et al. 2019, "Deformable ConvNets v2").

Three implementations with the same values. ``torchvision`` is TorchVision's compiled operator.
``mmcv`` is MMCV's, where the installed MMCV was built with its operators. ``sampling`` samples,
then multiplies (:mod:`lada.models.cpu.sampled_conv`): deterministic, and faster on a processor,
most of all in the backward pass.
"""

import torch
from torch import Tensor
from torchvision.ops import deform_conv2d

from lada.errors import LadaError
from lada.models.cpu.sampled_conv import sampled_conv
from lada.models.pixel_grid import pixel_positions

IMPLEMENTATIONS = ('torchvision', 'mmcv', 'sampling')


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
    """Return the convolution of ``x`` sampled at shifted positions, (N, O, Ho, Wo).

    Samples outside the image are zero. Raises :class:`ValueError` for shapes that do not fit.

    Args:
        x: (N, C, H, W).
        offset: (N, 2·G·K, Ho, Wo), for each of G groups of input channels and each of the K kernel
            positions the vertical and the horizontal shift in pixels; its type is computed in.
        mask: (N, G·K, Ho, Wo), a factor for each sample.
        weight: (O, C, kh, kw).
        bias: (O,).
        stride: between two positions of the kernel.
        padding: zeros around ``x``.
        dilation: between two taps of the kernel.
        implementation: one of :data:`IMPLEMENTATIONS`; ``None``: ``torchvision``.
    """
    kernel = weight.shape[2] * weight.shape[3]
    groups = mask.shape[1] // kernel
    _check(x, offset, mask, weight, groups, kernel)
    implementation = check_implementation(implementation) or 'torchvision'
    if implementation == 'sampling':
        return _by_sampling(x, offset, mask, weight, bias, stride, padding, dilation, groups)
    # The operators know no autocast rule for mixed types; offsets keep theirs through the call.
    with torch.autocast(x.device.type, enabled=False):
        kind = offset.dtype
        image, mask, weight = x.to(kind), mask.to(kind), weight.to(kind)
        bias = None if bias is None else bias.to(kind)
        if implementation == 'torchvision':
            out = deform_conv2d(
                image,
                offset,
                weight,
                bias,
                (stride, stride),
                (padding, padding),
                (dilation, dilation),
                mask,
            )
        else:
            operator = _mmcv_operator()
            out = operator(image, offset, mask, weight, bias, stride, padding, dilation, 1, groups)
    return out.to(x.dtype)


def check_implementation(name: str | None) -> str | None:
    """Return ``name``; raise :class:`LadaError` unless it can be used here, or is None."""
    if name is not None and name not in IMPLEMENTATIONS:
        raise LadaError(
            f'deform_conv: unknown implementation {name!r}; choose one of'
            f' {", ".join(IMPLEMENTATIONS)}, or None'
        )
    if name == 'mmcv':
        _mmcv_operator()
    return name


def _mmcv_operator():
    try:
        from mmcv.ops import modulated_deform_conv2d as operator
    except ImportError as error:
        raise LadaError(
            f"deform_conv='mmcv': the installed mmcv has no compiled operators ({error}); install a"
            " build that has, or use 'torchvision'"
        ) from error
    return operator


def _by_sampling(x, offset, mask, weight, bias, stride, padding, dilation, groups) -> Tensor:
    batch, _, height, width = mask.shape
    by_tap = (batch, groups, -1, 2, height, width)
    shifts = offset.view(by_tap).permute(0, 4, 5, 3, 1, 2).flip(3)
    factors = mask.view(batch, groups, 1, -1, height, width).permute(0, 4, 5, 2, 1, 3)
    base = pixel_positions(height, width, offset.device, offset.dtype, stride)[..., None]
    base = base.expand(batch, *base.shape)
    return sampled_conv(x, base, torch.cat([shifts, factors], 3), weight, bias, padding, dilation)


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
