"""Convolutions in a row as one step of the graph.

What plain autograd spends beside the convolutions goes to memory: it keeps every intermediate result and allocates a
new gradient for each operation. Here a convolution's result is shuffled and activated in place, only the inputs of
convolutions are kept, and a gradient is scaled and added to in place. Values and gradients are those of the plain
operations; under autocast everything runs in its type and weight gradients come back in the weight's.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable


class Link(NamedTuple):
    """A convolution of odd square kernel and "same" padding, then a pixel shuffle by ``factor``, then LeakyReLU.

    With ``factor`` f the output channels of ``weight`` and ``bias`` are sorted by position in the f×f cell first.
    ``slope`` None leaves the activation out.
    """

    weight: Tensor
    bias: Tensor
    slope: float | None = None
    factor: int = 1


def conv_chain(x: Tensor, links: Sequence[Link]) -> Tensor:
    """Send ``x`` (N, C, H, W) through all ``links``; returns (N, C', f·H, f·W), stored channels last."""
    shape = tuple((link.slope, link.factor) for link in links)
    return _Chain.apply(x, shape, *(part for link in links for part in (link.weight, link.bias)))


def residual_chain(x: Tensor, parameters: Sequence[Tensor], scale: float = 1.0) -> Tensor:
    """``x + scale * conv2(relu(conv1(x)))`` again and again; ``parameters``: both weights and biases of each block."""
    return _Residual.apply(x, scale, *parameters)


class _Chain(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, shape, *parameters):
        dtype = _working_type(x)
        ctx.shape, ctx.dtype = shape, x.dtype
        inputs = []
        with torch.autocast(x.device.type, enabled=False):
            x = x.to(dtype)
            for (slope, factor), weight, bias in zip(shape, parameters[::2], parameters[1::2], strict=True):
                inputs.append(x)
                x = _conv(x, weight, bias)
                if factor > 1:
                    x = _shuffle(x, factor)
                if slope is not None:
                    x = F.leaky_relu_(x, slope)
        last = [x] if shape[-1][0] is not None else []
        ctx.save_for_backward(*inputs, *last, *parameters[::2])
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        count = len(ctx.shape)
        saved = ctx.saved_tensors  # once: a checkpointed segment hands each tensor out a single time
        activations, weights = saved[:-count], saved[-count:]
        found = []
        grad = _as_rows(grad.to(activations[0].dtype))
        for i in reversed(range(count)):
            slope, factor = ctx.shape[i]
            if slope is not None:
                # Only the first gradient may belong to others, too.
                grad = _leaky_backward(grad, activations[i + 1], slope, in_place=i < count - 1)
            if factor > 1:
                grad = _unshuffle(grad, factor)
            wanted = (i > 0 or ctx.needs_input_grad[0], *ctx.needs_input_grad[2 + 2 * i:4 + 2 * i])
            grad, *more = _conv_backward(grad, activations[i], weights[i], wanted)
            found[:0] = more
        return None if grad is None else grad.to(ctx.dtype), None, *found


class _Residual(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale, *parameters):
        dtype = _working_type(x)
        ctx.scale, ctx.dtype = scale, x.dtype
        inputs = []
        with torch.autocast(x.device.type, enabled=False):
            x = x.to(dtype)
            for i in range(0, len(parameters), 4):
                weight_1, bias_1, weight_2, bias_2 = parameters[i:i + 4]
                hidden = F.relu_(_conv(x, weight_1, bias_1))
                inputs += (x, hidden)
                out = _conv(hidden, weight_2, bias_2)
                if scale != 1.0:
                    out.mul_(scale)
                x = out.add_(x)
        ctx.save_for_backward(*inputs, *parameters[::2])
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        saved = ctx.saved_tensors
        count = len(saved) // 2
        inputs, weights = saved[:count], saved[count:]
        found = []
        grad = _as_rows(grad.to(inputs[0].dtype))
        for i in range(count - 2, -1, -2):
            wanted = ctx.needs_input_grad[2 + 2 * i:6 + 2 * i]
            scaled = grad if ctx.scale == 1.0 else grad * ctx.scale
            hidden, *second = _conv_backward(scaled, inputs[i + 1], weights[i + 1], (True, *wanted[2:]))
            torch.ops.aten.threshold_backward.grad_input(hidden, inputs[i + 1], 0, grad_input=hidden)
            before, *first = _conv_backward(hidden, inputs[i], weights[i], (True, *wanted[:2]))
            grad = before.add_(grad)
            found[:0] = (*first, *second)
        return grad.to(ctx.dtype), None, *found


def _working_type(x: Tensor) -> torch.dtype:
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) and x.dtype != torch.float64 else x.dtype


def _conv(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return F.conv2d(x, weight.to(x.dtype), bias.to(x.dtype), padding=weight.shape[-1] // 2)


def _conv_backward(grad: Tensor, x: Tensor, weight: Tensor, wanted: Sequence[bool]) -> list[Tensor | None]:
    pad = weight.shape[-1] // 2
    grad_x, *grads = torch.ops.aten.convolution_backward(
        grad, x, weight.to(x.dtype), [weight.shape[0]], [1, 1], [pad, pad], [1, 1], False, [0, 0], 1, list(wanted))
    return [grad_x, *(None if part is None else part.to(weight.dtype) for part in grads)]


def _leaky_backward(grad: Tensor, result: Tensor, slope: float, in_place: bool) -> Tensor:
    if in_place:
        return torch.ops.aten.leaky_relu_backward.grad_input(grad, result, slope, True, grad_input=grad)
    return torch.ops.aten.leaky_relu_backward(grad, result, slope, True)


def _shuffle(x: Tensor, factor: int) -> Tensor:
    """Pixel shuffle that moves whole runs of channels, sorted by position first."""
    n, _, h, w = x.shape
    cells = x.permute(0, 2, 3, 1).reshape(n, h, w, factor, factor, -1).transpose(2, 3)
    return cells.reshape(n, h * factor, w * factor, -1).permute(0, 3, 1, 2)


def _unshuffle(x: Tensor, factor: int) -> Tensor:
    n, c, h, w = x.shape
    cells = x.permute(0, 2, 3, 1).reshape(n, h // factor, factor, w // factor, factor, c).transpose(2, 3)
    return cells.reshape(n, h // factor, w // factor, -1).permute(0, 3, 1, 2)


def _as_rows(grad: Tensor) -> Tensor:
    return grad.contiguous(memory_format=torch.channels_last)
