"""A convolution whose weights are converted once for many calls.

Autocast and oneDNN convert weights in every call, the first to its type, the second to blocks. Here
that happens once, and an addition or an activation joins the convolution where oneDNN takes it
along.
"""

from collections.abc import Sequence
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from lada.models.cpu import onednn
from lada.models.cpu.weight_gradient import (
    Way,
    fastest_way,
    gradients_by_products,
    gradients_in_strips,
)


class PackedConv:
    """A convolution of odd square kernel and "same" padding, and its gradients, computed in
    ``dtype``.

    It holds the weights as they are when it is made; no gradient is recorded.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, dtype: torch.dtype):
        self.weight = weight.detach().to(dtype).contiguous()
        self.bias = None if bias is None else bias.detach().to(dtype)
        self.pad = weight.shape[-1] // 2
        self.packs: dict[tuple[int, ...], Tensor] = {}

    def __call__(
        self, x: Tensor, added: Tensor | None = None, slope: float | None = None
    ) -> Tensor:
        """``leaky_relu(conv(x) + added, slope)`` in new memory; ``slope`` None leaves the
        activation out.

        ``x`` (N, C, H, W) and ``added`` (N, C', H, W) have the type of the weights.
        """
        if onednn.can_convolve(x):
            return onednn.convolve(x, self._pack(x), self.bias, self.pad, added, slope)
        out = F.conv2d(x, self.weight, self.bias, padding=self.pad)
        out = out if added is None else out.add_(added)
        return out if slope is None else F.leaky_relu_(out, slope)

    def gradients(
        self, grad: Tensor, x: Tensor, wanted: Sequence[bool]
    ) -> tuple[Tensor | None, ...]:
        """The gradients of input, weight and bias from that of the output, as far as ``wanted``."""
        weight = self._weight_as_inputs
        way = Way.WHOLE
        if wanted[1] and x.device.type == 'cpu':
            way = fastest_way(torch.backends.cpu.get_cpu_capability(), grad, x, weight)
        at_once = wanted if way is Way.WHOLE else (wanted[0], False, False)
        found = torch.ops.aten.convolution_backward(
            grad,
            x,
            weight,
            [len(weight)],
            [1, 1],
            [self.pad] * 2,
            [1, 1],
            False,
            [0, 0],
            1,
            at_once,
        )
        if way is Way.WHOLE:
            return found
        gradients = gradients_in_strips if way is Way.STRIPS else gradients_by_products
        return found[0], *gradients(grad, x, weight, wanted[1:])

    @cached_property
    def _weight_as_inputs(self) -> Tensor:
        # Every backward pass would convert it to the inputs' layout otherwise.
        return self.weight.contiguous(memory_format=torch.channels_last)

    def _pack(self, x: Tensor) -> Tensor:
        # oneDNN chooses the blocks by the size of the input.
        size = tuple(x.shape)
        if size not in self.packs:
            self.packs[size] = onednn.pack(self.weight, self.pad, size)
        return self.packs[size]
