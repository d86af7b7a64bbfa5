"""oneDNN's operators, which PyTorch keeps for its compiler and does not document.

They take weights that were put into oneDNN's blocks once, and additions and activations along in a
convolution. Only this file names them; tests/models/cpu/test_onednn.py says so when an upgrade of
PyTorch moves one.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

_ops = torch.ops.mkldnn
_ONE = [1, 1]


def can_convolve(x: Tensor) -> bool:
    """Whether oneDNN convolves tensors of the place and type of ``x``."""
    if x.device.type != 'cpu' or not torch.backends.mkldnn.is_available():
        return False
    return x.dtype == torch.float32 or (
        x.dtype == torch.bfloat16 and _ops._is_mkldnn_bf16_supported()
    )


def pack(weight: Tensor, pad: int, size: Sequence[int]) -> Tensor:
    """Return ``weight`` (O, C, k, k) in blocks for inputs of ``size`` (N, C, H, W)."""
    return _ops._reorder_convolution_weight(weight, [pad] * 2, _ONE, _ONE, 1, list(size))


def convolve(
    x: Tensor,
    packed: Tensor,
    bias: Tensor | None,
    pad: int,
    added: Tensor | None = None,
    slope: float | None = None,
) -> Tensor:
    """Return ``leaky_relu(conv(x) + added, slope)`` in new memory.

    Args:
        x: (N, C, H, W), for which :func:`can_convolve`.
        packed: what :func:`pack` made for its size.
        bias: (O,).
        pad: zeros around ``x``.
        added: (N, O, H, W).
        slope: of LeakyReLU; None leaves the activation out.
    """
    geometry = [pad] * 2, _ONE, _ONE, 1
    if added is None:
        kind, values = ('none', []) if slope is None else ('leaky_relu', [slope])
        return _ops._convolution_pointwise(x, packed, bias, *geometry, kind, values, '')
    out = _ops._convolution_pointwise.binary(
        x, added, packed, bias, *geometry, 'add', 1.0, None, [], None
    )
    return out if slope is None else F.leaky_relu_(out, slope)


def product(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return ``a @ b.t() + bias`` for matrices (M, K) and (N, K) on any device."""
    if a.dtype == torch.float32 and a.device.type == 'cpu' and torch.backends.mkldnn.is_available():
        # float32 products go to MKL otherwise, which is slow on some vendors' processors.
        return _ops._linear_pointwise(a, b, bias, 'none', [], '')
    return torch.mm(a, b.t()) if bias is None else torch.addmm(bias, a, b.t())
