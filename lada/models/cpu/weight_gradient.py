"""Weight gradients of convolutions, by other means where oneDNN is slow at them.

Its kernels lose up to four fifths of their rate where a picture leaves the cache; which of them do
depends on the processor's instructions. The table is fixed and nothing is timed at run time, so
that a processor computes the same bits in every run. Measured: dev/benchmarks.md.
"""

from collections.abc import Iterator, Sequence
from enum import Enum

import torch
import torch.nn.functional as F
from torch import Tensor

STRIP_BYTES = 4 * 2**20
"""What the input of a strip has at most."""
LEAST_PRODUCTS = 2**23
"""Pixels times channels in and out from which products are faster."""
PIXELS_OF_A_PRODUCT = 4096


class Way(Enum):
    """How a weight gradient is computed."""

    WHOLE = 'by oneDNN from whole pictures'
    STRIPS = 'by oneDNN in strips'
    PRODUCTS = 'by products of matrices'


def fastest_way(instructions: str, grad: Tensor, x: Tensor, weight: Tensor) -> Way:
    """Look up the fastest way, by type and shape.

    Args:
        instructions: as :func:`torch.backends.cpu.get_cpu_capability` names them.
        grad: (N, O, H, W), of the output.
        x: (N, C, H, W), the input.
        weight: (O, C, k, k).
    """
    if x.element_size() == 2:
        return Way.STRIPS if x.nbytes > STRIP_BYTES else Way.WHOLE
    if (
        instructions == 'AVX2'
        and x.dtype == torch.float32
        and weight.shape[-1] == 3
        and x[0].numel() * len(weight) >= LEAST_PRODUCTS
    ):
        return Way.PRODUCTS
    return Way.WHOLE


def gradients_by_products(
    grad: Tensor, x: Tensor, weight: Tensor, wanted: Sequence[bool]
) -> Iterator[Tensor | None]:
    """Yield the gradients of weight and bias, as far as ``wanted``, in the type of ``x``.

    Where rows of pixels have zeros at their ends, one step of the kernel is one step in memory: its
    gradient is the product of the gradient's pixels, as a matrix, with the input's, that step
    further on.

    Args:
        grad: (N, O, H, W), of the output, channels last.
        x: (N, C, H, W), the input, channels last.
        weight: (O, C, k, k), odd k, of a convolution with "same" padding.
        wanted: of weight, and of bias.
    """
    yield _weight_gradient(grad, x, weight.shape[-1]) if wanted[0] else None
    yield grad.sum((0, 2, 3)) if wanted[1] else None


def _weight_gradient(grad: Tensor, x: Tensor, side: int) -> Tensor:
    pad = side // 2
    height, wide = x.shape[2], x.shape[3] + 2 * pad
    # One product for each thread at a time.
    count = max(2, torch.get_num_threads())
    rows = max(1, min(-(-height // count), PIXELS_OF_A_PRODUCT // wide))
    pixels = rows * wide
    total = x.new_zeros(side * side, count, grad.shape[1], x.shape[1])
    for picture, of_picture in zip(
        x.permute(0, 2, 3, 1).unbind(), grad.permute(0, 2, 3, 1).unbind(), strict=True
    ):
        for start in range(0, height, count * rows):
            stop = start + count * rows
            top, bottom, end = max(start - pad, 0), min(stop + pad, height), min(stop, height)
            # The kernel's last step looks further than the rows below, by less than one more.
            around = (0, 0, pad, pad, top - start + pad, stop + pad + 1 - bottom)
            inputs = F.pad(picture[top:bottom], around).flatten(0, 1)
            grads = F.pad(of_picture[start:end], (0, 0, 0, 2 * pad, 0, stop - end))
            factors = grads.view(count, pixels, -1).transpose(1, 2)
            for number, sums in enumerate(total):
                first = number // side * wide + number % side
                step = inputs[first : first + count * pixels]
                sums.baddbmm_(factors, step.view(count, pixels, -1))
    return total.sum(1).view(side, side, -1, x.shape[1]).permute(2, 3, 0, 1).contiguous()


def gradients_in_strips(
    grad: Tensor, x: Tensor, weight: Tensor, wanted: Sequence[bool]
) -> Iterator[Tensor | None]:
    """Yield the gradients of weight and bias, as far as ``wanted``, in float32.

    Args:
        grad: (N, O, H, W), of the output, channels last.
        x: (N, C, H, W), the input, channels last.
        weight: (O, C, k, k), odd k, of a convolution with "same" padding.
        wanted: of weight, and of bias.
    """
    pad = weight.shape[-1] // 2
    strips = [
        torch.ops.aten.convolution_backward(
            rows_of_grad,
            rows,
            weight,
            [len(weight)],
            [1, 1],
            [0, pad],
            [1, 1],
            False,
            [0, 0],
            1,
            (False, *wanted),
        )[1:]
        for one, picture in zip(grad.split(1), x.split(1), strict=True)
        for rows_of_grad, rows in _strips(one, picture, pad)
    ]
    for parts in zip(*strips, strict=True):
        yield None if parts[0] is None else torch.stack(parts).sum(0, dtype=torch.float32)


def _strips(grad: Tensor, x: Tensor, pad: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Rows of the output's gradient, and the rows of the input, zeros above and below included,
    that they meet.
    """
    height = x.shape[2]
    length = max(1, height * STRIP_BYTES // x.nbytes)
    for start in range(0, height, length):
        end = min(start + length, height)
        top, bottom = max(start - pad, 0), min(end + pad, height)
        rows = F.pad(x[:, :, top:bottom], (0, 0, top - (start - pad), end + pad - bottom))
        yield grad[:, :, start:end], rows
