"""How long the convolutions of a step take alone: recorded from a real step, then run at the same
shapes.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from unittest.mock import patch

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from lada.models.cpu import packed_conv
from lada.models.cpu.weight_gradient import Way


@dataclass(frozen=True)
class Conv:
    """One convolution: input and weight shape, stride, padding, type, and what its backward pass
    computes (or None).
    """

    input: tuple[int, ...]
    weight: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dtype: torch.dtype
    gradients: tuple[bool, ...] | None

    def parts(self) -> list['Conv']:
        """Return the gradient of the input apart from those of weight and bias."""
        if self.gradients is None or not (self.gradients[0] and any(self.gradients[1:])):
            return [self]
        apart = (True, False, False), (False, *self.gradients[1:])
        return [replace(self, gradients=gradients) for gradients in apart]

    @property
    def flops(self) -> float:
        n, _, h, w = self.input
        out_h = (h + 2 * self.padding[0] - self.weight[2]) // self.stride[0] + 1
        out_w = (w + 2 * self.padding[1] - self.weight[3]) // self.stride[1] + 1
        once = (
            2
            * n
            * out_h
            * out_w
            * self.weight[0]
            * self.weight[1]
            * self.weight[2]
            * self.weight[3]
        )
        return once * (1 if self.gradients is None else sum(self.gradients[:2]))


class ConvRecorder(TorchDispatchMode):
    """Count the convolutions inside the ``with`` block, forward and backward; a deformable one
    counts as plain. Weight gradients are computed from whole pictures meanwhile.
    """

    def __init__(self):
        super().__init__()
        self.convs: Counter[Conv] = Counter()
        self._whole = patch.object(packed_conv, 'fastest_way', return_value=Way.WHOLE)

    def __enter__(self):
        self._whole.start()
        return super().__enter__()

    def __exit__(self, *error):
        self._whole.stop()
        return super().__exit__(*error)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket
        if name is torch.ops.aten.convolution:
            x, weight, _, stride, padding = args[:5]
            self._add(x, weight, stride, padding, None)
        elif name is torch.ops.aten.convolution_backward:
            _, x, weight, _, stride, padding = args[:6]
            self._add(x, weight, stride, padding, tuple(args[10]))
        elif name is torch.ops.mkldnn._convolution_pointwise:
            # (x, weight, ...), and with an addition fused (x, added, weight, ...); bias, padding
            # and stride follow.
            x, weight, _, padding, stride = (
                args[:5] if func._overloadname == 'default' else (args[0], *args[2:6])
            )
            self._add(x, weight, stride, padding, None)
        elif name is torch.ops.torchvision.deform_conv2d:
            x, weight = args[:2]
            self._add(x, weight, (1, 1), (1, 1), None)
        elif name is torch.ops.torchvision._deform_conv2d_backward:
            x, weight = args[1:3]
            self._add(x, weight, (1, 1), (1, 1), (True, True, True))
        return func(*args, **(kwargs or {}))

    def _add(
        self, x: Tensor, weight: Tensor, stride, padding, gradients: tuple[bool, ...] | None
    ) -> None:
        self.convs[
            Conv(
                tuple(x.shape),
                tuple(weight.shape),
                tuple(stride),
                tuple(padding),
                x.dtype,
                gradients,
            )
        ] += 1


def measure(
    convs: Counter[Conv], device: torch.device, clock: Callable[[], float], repeats: int = 3
) -> float:
    """Seconds that all ``convs`` take: each, and each of its gradients, in its faster layout, the
    fastest of ``repeats`` runs, times its count.
    """
    return sum(
        _fastest(part, device, clock, repeats) * count
        for conv, count in convs.items()
        for part in conv.parts()
    )


def total_flops(convs: Counter[Conv]) -> float:
    """Floating-point operations of all convolutions, a multiply and an add counting as two."""
    return sum(conv.flops * count for conv, count in convs.items())


def _fastest(conv: Conv, device: torch.device, clock: Callable[[], float], repeats: int) -> float:
    best = float('inf')
    for layout in (torch.channels_last, torch.contiguous_format):

        def new(*shape: int, layout=layout) -> Tensor:
            return torch.randn(shape, dtype=conv.dtype, device=device).contiguous(
                memory_format=layout
            )

        x, weight = new(*conv.input), new(*conv.weight)
        bias = torch.zeros(conv.weight[0], dtype=conv.dtype, device=device)
        with torch.no_grad():
            out = torch.nn.functional.conv2d(x, weight, bias, conv.stride, conv.padding)
        grad = new(*out.shape)

        def run(x=x, weight=weight, bias=bias, grad=grad):
            if conv.gradients is None:
                with torch.no_grad():
                    torch.nn.functional.conv2d(x, weight, bias, conv.stride, conv.padding)
            else:
                torch.ops.aten.convolution_backward(
                    grad,
                    x,
                    weight,
                    [len(bias)],
                    conv.stride,
                    conv.padding,
                    [1, 1],
                    False,
                    [0, 0],
                    1,
                    conv.gradients,
                )

        run()
        for _ in range(repeats):
            start = clock()
            run()
            best = min(best, clock() - start)
    return best


def clock_for(device: torch.device, cpu_time: bool = False) -> Callable[[], float]:
    """Wall clock (after synchronising a GPU), or this process's processor time."""
    if cpu_time:
        return time.process_time
    if device.type == 'cuda':

        def clock() -> float:
            torch.cuda.synchronize(device)
            return time.perf_counter()

        return clock
    return time.perf_counter
