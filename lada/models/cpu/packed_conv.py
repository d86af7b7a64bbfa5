"""A convolution whose weights are converted once for many calls.

Autocast and oneDNN convert weights in every call, the first to its type, the second to blocks. Here
that happens once, and an addition or an activation joins the convolution where oneDNN takes it
along.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from lada.models.cpu import onednn

# With inputs of two bytes a number and more bytes than this, oneDNN computes weight gradients at
# half its rate.
WEIGHT_GRADIENT_BYTES = 4 * 2**20


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
        if not (
            wanted[1]
            and x.device.type == 'cpu'
            and x.element_size() == 2
            and x.nbytes > WEIGHT_GRADIENT_BYTES
        ):
            return self._backward(grad, x, wanted, (self.pad, self.pad))
        grad_x = (
            self._backward(grad, x, (True, False, False), (self.pad, self.pad))[0]
            if wanted[0]
            else None
        )
        strips = [
            self._backward(part, rows, (False, *wanted[1:]), (0, self.pad))[1:]
            for one, image in zip(grad.split(1), x.split(1), strict=True)
            for part, rows in self._strips(one, image)
        ]
        sums = (
            torch.stack(parts).sum(0, dtype=torch.float32) if parts[0] is not None else None
            for parts in zip(*strips, strict=True)
        )
        return grad_x, *sums

    @cached_property
    def _weight_as_inputs(self) -> Tensor:
        # Every backward pass would convert it to the inputs' layout otherwise.
        return self.weight.contiguous(memory_format=torch.channels_last)

    def _backward(
        self, grad: Tensor, x: Tensor, wanted: Sequence[bool], padding: tuple[int, int]
    ) -> tuple[Tensor | None, ...]:
        return torch.ops.aten.convolution_backward(
            grad,
            x,
            self._weight_as_inputs,
            [len(self.weight)],
            [1, 1],
            padding,
            [1, 1],
            False,
            [0, 0],
            1,
            wanted,
        )

    def _strips(self, grad: Tensor, x: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Rows of the output's gradient, and the rows of the input, zeros above and below included,
        that they meet.
        """
        height, pad = x.shape[2], self.pad
        length = max(1, height * WEIGHT_GRADIENT_BYTES // x.nbytes)
        for start in range(0, height, length):
            end = min(start + length, height)
            top, bottom = max(start - pad, 0), min(end + pad, height)
            rows = F.pad(x[:, :, top:bottom], (0, 0, top - (start - pad), end + pad - bottom))
            yield grad[:, :, start:end], rows

    def _pack(self, x: Tensor) -> Tensor:
        # oneDNN chooses the blocks by the size of the input.
        size = tuple(x.shape)
        if size not in self.packs:
            self.packs[size] = onednn.pack(self.weight, self.pad, size)
        return self.packs[size]
