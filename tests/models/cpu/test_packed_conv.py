import pytest
import torch
import torch.nn.functional as F

from lada.models.cpu.packed_conv import PackedConv
from lada.models.cpu.weight_gradient import STRIP_BYTES


@pytest.mark.parametrize(
    ('dtype', 'tolerance'), [(torch.float32, 1e-5), (torch.float64, 1e-12), (torch.bfloat16, 0.05)]
)
@pytest.mark.parametrize('slope', [None, 0.0, 0.1])
def test_same_as_the_plain_operations_at_two_sizes(dtype, tolerance, slope):
    torch.manual_seed(0)
    weight, bias = (
        torch.randn(8, 4, 3, 3, dtype=torch.float64) * 0.2,
        torch.randn(8, dtype=torch.float64),
    )
    conv = PackedConv(weight, bias, dtype)
    for side in (5, 8):
        x = torch.randn(2, 4, side, 6, dtype=torch.float64).contiguous(
            memory_format=torch.channels_last
        )
        added = torch.randn(2, 8, side, 6, dtype=torch.float64).contiguous(
            memory_format=torch.channels_last
        )
        for more in (None, added):
            expected = F.conv2d(x, weight, bias, padding=1)
            expected = expected if more is None else expected + more
            expected = expected if slope is None else F.leaky_relu(expected, slope)
            out = conv(x.to(dtype), None if more is None else more.to(dtype), slope)
            torch.testing.assert_close(out.double(), expected, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize('wanted', [(True, True, True), (False, True, False)])
@pytest.mark.parametrize('kernel', [1, 3])
def test_weight_gradients_of_large_pictures_are_those_of_float32(kernel, wanted):
    torch.manual_seed(0)
    x = torch.randn(2, 16, 300, 250).bfloat16().contiguous(memory_format=torch.channels_last)
    assert x.nbytes > STRIP_BYTES  # taken apart, the last strip shorter than the others
    grad = torch.randn(2, 8, 300, 250).bfloat16().contiguous(memory_format=torch.channels_last)
    weight = (torch.randn(8, 16, kernel, kernel) * 0.2).bfloat16()
    parts = [part.float().requires_grad_() for part in (x, weight, torch.zeros(8))]
    expected = torch.autograd.grad(F.conv2d(*parts, padding=kernel // 2), parts, grad.float())
    found = PackedConv(weight, torch.zeros(8), torch.bfloat16).gradients(grad, x, wanted)
    for ours, theirs, asked in zip(found, expected, wanted, strict=True):
        assert (ours is not None) == asked
        if asked:
            assert (ours.float() - theirs).norm() / theirs.norm() < 0.01
