"""Weight gradients of convolutions, strip by strip where a whole picture would be slow.

oneDNN's kernels for them lose up to four fifths of their rate where a picture leaves the cache,
which ones depends on the processor's instructions. The table is fixed and nothing is timed at run
time, so that a processor computes the same bits in every run. Measured: dev/benchmarks.md.
"""

from collections.abc import Iterator, Sequence
from enum import Enum

import torch
import torch.nn.functional as F
from torch import Tensor

from lada.models.cpu.layout import planes

STRIP_BYTES = 4 * 2**20
"""What the input of a strip has at most."""


class Way(Enum):
    """How a weight gradient is computed."""

    WHOLE = 'from whole pictures'
    STRIPS = 'in strips'
    PLANES = 'in strips of planes'


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
        and min(weight.shape[:2]) >= 32
        and max(x[0].nbytes, grad[0].nbytes) > STRIP_BYTES // 2
    ):
        return Way.PLANES
    return Way.WHOLE


def gradients_in_strips(
    grad: Tensor, x: Tensor, weight: Tensor, wanted: Sequence[bool], in_planes: bool
) -> Iterator[Tensor | None]:
    """Yield the gradients of weight and bias, as far as ``wanted``, in float32.

    Args:
        grad: (N, O, H, W), of the output, channels last.
        x: (N, C, H, W), the input, channels last.
        weight: (O, C, k, k), odd k, of a convolution with "same" padding.
        wanted: of weight, and of bias.
        in_planes: turn the strips into planes (NCHW) first.
    """
    pad = weight.shape[-1] // 2
    if in_planes:
        weight = weight.contiguous()
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
        for rows_of_grad, rows in _strips(one, picture, pad, in_planes)
    ]
    for parts in zip(*strips, strict=True):
        yield None if parts[0] is None else torch.stack(parts).sum(0, dtype=torch.float32)


def _strips(grad: Tensor, x: Tensor, pad: int, in_planes: bool) -> Iterator[tuple[Tensor, Tensor]]:
    """Rows of the output's gradient, and the rows of the input, zeros above and below included,
    that they meet.
    """
    height = x.shape[2]
    length = max(1, height * STRIP_BYTES // x.nbytes)
    for start in range(0, height, length):
        end = min(start + length, height)
        top, bottom = max(start - pad, 0), min(end + pad, height)
        rows, rows_of_grad = x[:, :, top:bottom], grad[:, :, start:end]
        if in_planes:
            rows, rows_of_grad = planes(rows), planes(rows_of_grad)
        yield rows_of_grad, F.pad(rows, (0, 0, top - (start - pad), end + pad - bottom))
