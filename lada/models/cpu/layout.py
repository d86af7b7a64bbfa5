"""Two memory layouts: channels last, which convolutions want, and planes, which sampling wants.

Conversions to channels last go through two-dimensional transposes, which PyTorch copies in blocks.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def channels_last(x: Tensor) -> Tensor:
    """Return ``x`` (N, C, H, W), stored channels last."""
    return _Relayout.apply(x, True)


def planes(x: Tensor) -> Tensor:
    """Return ``x`` (N, C, H, W), stored plane by plane (PyTorch's contiguous format)."""
    return _Relayout.apply(x, False)


def join_channels(parts: Sequence[Tensor]) -> Tensor:
    """Concatenate channels of tensors (N, C, H, W) stored channels last; their gradients are stored
    so, too.
    """
    return _Join.apply(*parts)


def join_frames(frames: Sequence[Tensor]) -> Tensor:
    """Stack T tensors (N, C, H, W) to (T·N, C, H, W), all stored channels last."""
    rows = torch.stack([frame.permute(0, 2, 3, 1) for frame in frames])
    return rows.flatten(0, 1).permute(0, 3, 1, 2)


def split_frames(batch: Tensor, count: int) -> list[Tensor]:
    """Undo :func:`join_frames`: views of ``count`` frames. Gradients come back channels
    last, too.
    """
    rows = batch.permute(0, 2, 3, 1)
    return [frame.permute(0, 3, 1, 2) for frame in rows.view(count, -1, *rows.shape[1:]).unbind(0)]


class _Relayout(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, to_channels_last):
        ctx.to_channels_last = to_channels_last
        return _copy(x, to_channels_last)

    @staticmethod
    def backward(ctx, grad):
        return _copy(grad, not ctx.to_channels_last), None


class _Join(torch.autograd.Function):
    @staticmethod
    def forward(ctx, *parts):
        ctx.sizes = [part.shape[1] for part in parts]
        return torch.cat(parts, 1)

    @staticmethod
    def backward(ctx, grad):
        return tuple(_copy(part, True) for part in grad.split(ctx.sizes, 1))


def _copy(x: Tensor, to_channels_last: bool) -> Tensor:
    """Return a copy, or ``x`` itself as a new view where it is stored that way already."""
    wanted = torch.channels_last if to_channels_last else torch.contiguous_format
    if x.is_contiguous(memory_format=wanted):
        return x.view_as(x)
    if not (to_channels_last and x.is_contiguous() and x.device.type == 'cpu'):
        return x.contiguous(memory_format=wanted)
    c, h, w = x.shape[1:]
    out = torch.empty_like(x, memory_format=wanted)
    for sample, result in zip(x, out, strict=True):
        result.permute(1, 2, 0).view(h * w, c).copy_(sample.view(c, h * w).t())
    return out
