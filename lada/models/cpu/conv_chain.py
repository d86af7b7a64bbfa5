"""Convolutions in a row as one step of the graph.

What plain autograd spends beside the convolutions goes to memory: it keeps every intermediate
result and allocates a new gradient for each operation. Here a convolution's result is added to,
shuffled and activated at once or in place, only the inputs of convolutions are kept, and a gradient
is scaled and added to in place. Weights are converted once for all calls of a chain. Values and
gradients are those of the plain operations; under autocast everything runs in its type and weight
gradients come back in the weight's.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from lada.models.cpu.packed_conv import PackedConv


class Link(NamedTuple):
    """A convolution of odd square kernel and "same" padding, then a pixel shuffle by ``factor``,
    then LeakyReLU.

    With ``factor`` f the output channels of ``weight`` and ``bias`` are sorted by position in the
    f×f cell first. ``slope`` None leaves the activation out, ``bias`` None the bias.
    """

    weight: Tensor
    bias: Tensor | None
    slope: float | None = None
    factor: int = 1


class ConvChain:
    """Sends inputs through all ``links``, whose parameters may not change between its calls."""

    def __init__(self, links: Sequence[Link]):
        self.steps = tuple((link.slope, link.factor) for link in links)
        self.parameters = [part for link in links for part in (link.weight, link.bias)]
        self.packed = _Packed([link.weight for link in links], [link.bias for link in links])

    def __call__(self, x: Tensor, added: Tensor | None = None) -> Tensor:
        """(N, C, H, W) to (N, C', f·H, f·W), stored channels last. ``added`` joins the first
        convolution's result.
        """
        return _Chain.apply(x, added, self.steps, self.packed, *self.parameters)


class ResidualChain:
    """``x + scale * conv2(relu(conv1(x)))`` again and again; ``parameters``: both weights and
    biases of each block.

    They may not change between calls.
    """

    def __init__(self, parameters: Sequence[Any], scale: float = 1.0):
        self.scale, self.parameters = scale, parameters
        self.packed = _Packed(parameters[::2], parameters[1::2])

    def __call__(self, x: Tensor) -> Tensor:
        return _Residual.apply(x, self.scale, self.packed, *self.parameters)


class _Packed:
    """The convolutions of a chain, in the type of the first call."""

    def __init__(self, weights: Sequence[Tensor], biases: Sequence[Tensor | None]):
        self.weights, self.biases = weights, biases
        self.convs: list[PackedConv] = []

    def get(self, dtype: torch.dtype) -> list[PackedConv]:
        if not self.convs or self.convs[0].weight.dtype != dtype:
            self.convs = [
                PackedConv(weight, bias, dtype)
                for weight, bias in zip(self.weights, self.biases, strict=True)
            ]
        return self.convs


class _Chain(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, added, steps, packed, *parameters):
        dtype = _working_type(x)
        ctx.steps, ctx.dtype = steps, x.dtype
        ctx.added_dtype = None if added is None else added.dtype
        ctx.weight_dtype = parameters[0].dtype
        inputs = []
        with torch.autocast(x.device.type, enabled=False):
            ctx.convs = packed.get(dtype)
            x = x.to(dtype)
            added = None if added is None else added.to(dtype)
            for (slope, factor), conv in zip(steps, ctx.convs, strict=True):
                inputs.append(x)
                x = conv(x, added, slope)
                added = None
                if factor > 1:
                    x = _shuffle(x, factor)
        last = [x] if steps[-1][0] is not None else []
        # The weights only for autograd's check that nobody changed them.
        ctx.save_for_backward(*inputs, *last, *parameters[::2])
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        count = len(ctx.steps)
        # Once: a checkpointed segment hands each tensor out a single time.
        activations = ctx.saved_tensors[:-count]
        found = []
        grad = _as_rows(grad.to(activations[0].dtype))
        for i in reversed(range(count)):
            slope, factor = ctx.steps[i]
            if slope is not None:
                # Only the first gradient may belong to others, too.
                grad = _leaky_backward(grad, activations[i + 1], slope, in_place=i < count - 1)
            if factor > 1:
                grad = _unshuffle(grad, factor)
            grad_added = grad if i == 0 and ctx.needs_input_grad[1] else None
            wanted = (
                i > 0 or ctx.needs_input_grad[0],
                *ctx.needs_input_grad[4 + 2 * i : 6 + 2 * i],
            )
            grad, *more = _gradients(ctx, i, grad, activations[i], wanted)
            found[:0] = more
        return (
            None if grad is None else grad.to(ctx.dtype),
            None if grad_added is None else grad_added.to(ctx.added_dtype),
            None,
            None,
            *found,
        )


class _Residual(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale, packed, *parameters):
        dtype = _working_type(x)
        ctx.scale, ctx.dtype, ctx.weight_dtype = scale, x.dtype, parameters[0].dtype
        inputs = []
        with torch.autocast(x.device.type, enabled=False):
            ctx.convs = packed.get(dtype)
            x = x.to(dtype)
            for conv_1, conv_2 in zip(ctx.convs[::2], ctx.convs[1::2], strict=True):
                hidden = conv_1(x, slope=0)
                inputs += (x, hidden)
                x = conv_2(hidden, x) if scale == 1.0 else conv_2(hidden).mul_(scale).add_(x)
        ctx.save_for_backward(*inputs, *parameters[::2])
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        saved = ctx.saved_tensors
        inputs = saved[: len(saved) // 2]
        found = []
        grad = _as_rows(grad.to(inputs[0].dtype))
        for i in range(len(inputs) - 2, -1, -2):
            scaled = grad if ctx.scale == 1.0 else grad * ctx.scale
            wanted = ctx.needs_input_grad[3 + 2 * i : 7 + 2 * i]
            hidden, *second = _gradients(ctx, i + 1, scaled, inputs[i + 1], (True, *wanted[2:]))
            torch.ops.aten.threshold_backward.grad_input(
                hidden, inputs[i + 1], 0, grad_input=hidden
            )
            before, *first = _gradients(ctx, i, hidden, inputs[i], (True, *wanted[:2]))
            grad = before.add_(grad)
            found[:0] = (*first, *second)
        return grad.to(ctx.dtype), None, None, *found


def _working_type(x: Tensor) -> torch.dtype:
    kind = x.device.type
    return (
        torch.get_autocast_dtype(kind)
        if torch.is_autocast_enabled(kind) and x.dtype != torch.float64
        else x.dtype
    )


def _gradients(ctx, i: int, grad: Tensor, x: Tensor, wanted: Sequence[bool]) -> list[Any]:
    """Gradients of the i-th convolution's input, in its type, and of its weight and bias, in
    theirs; None for what is not wanted.
    """
    grad_x, *more = ctx.convs[i].gradients(grad, x, wanted)
    return [grad_x, *(None if part is None else part.to(ctx.weight_dtype) for part in more)]


def _leaky_backward(grad: Tensor, result: Tensor, slope: float, in_place: bool) -> Tensor:
    if in_place:
        return torch.ops.aten.leaky_relu_backward.grad_input(
            grad, result, slope, True, grad_input=grad
        )
    return torch.ops.aten.leaky_relu_backward(grad, result, slope, True)


def _shuffle(x: Tensor, factor: int) -> Tensor:
    """Pixel shuffle that moves whole runs of channels, sorted by position first."""
    n, _, h, w = x.shape
    cells = x.permute(0, 2, 3, 1).reshape(n, h, w, factor, factor, -1).transpose(2, 3)
    return cells.reshape(n, h * factor, w * factor, -1).permute(0, 3, 1, 2)


def _unshuffle(x: Tensor, factor: int) -> Tensor:
    n, c, h, w = x.shape
    cells = (
        x.permute(0, 2, 3, 1)
        .reshape(n, h // factor, factor, w // factor, factor, c)
        .transpose(2, 3)
    )
    return cells.reshape(n, h // factor, w // factor, -1).permute(0, 3, 1, 2)


def _as_rows(grad: Tensor) -> Tensor:
    return grad.contiguous(memory_format=torch.channels_last)
