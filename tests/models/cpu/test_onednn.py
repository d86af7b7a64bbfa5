"""Canaries: PyTorch documents none of oneDNN's operators and may move them in any release."""

import pytest
import torch
import torch.nn.functional as F

from lada.models.cpu import onednn

MOVED = (
    "PyTorch {} has moved or changed oneDNN's operator {}: adapt lada/models/cpu/onednn.py, or use"
    " model.generator.backend='plain' until then"
)


@pytest.mark.parametrize(
    ('name', 'arguments'),
    [
        ('_convolution_pointwise', 10),
        ('_linear_pointwise', 6),
        ('_reorder_convolution_weight', 6),
        ('_is_mkldnn_bf16_supported', 0),
    ],
)
def test_operators_are_where_they_were(name, arguments):
    operator = getattr(torch.ops.mkldnn, name, None)
    told = MOVED.format(torch.__version__, name)
    assert operator is not None, told
    assert len(operator.default._schema.arguments) == arguments, told


def test_values_are_those_of_the_plain_operations():
    torch.manual_seed(0)
    x = torch.randn(1, 4, 6, 5).contiguous(memory_format=torch.channels_last)
    weight, bias, added = torch.randn(8, 4, 3, 3), torch.randn(8), torch.randn(1, 8, 6, 5)
    assert onednn.can_convolve(x) and not onednn.can_convolve(x.double())
    packed = onednn.pack(weight, 1, x.shape)
    expected = F.leaky_relu(F.conv2d(x, weight, bias, padding=1) + added, 0.1)
    found = onednn.convolve(x, packed, bias, 1, added, 0.1)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    a, b = torch.randn(7, 3), torch.randn(8, 3)
    torch.testing.assert_close(onednn.product(a, b, bias), F.linear(a, b, bias))
