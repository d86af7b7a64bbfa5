import pytest
import torch
import torch.nn.functional as F

from lada.models.cpu.weight_gradient import STRIP_BYTES, Way, fastest_way, gradients_in_strips


@pytest.mark.parametrize('in_planes', [False, True])
@pytest.mark.parametrize(
    ('kernel', 'wanted'), [(1, (True, True)), (3, (True, True)), (3, (True, False))]
)
def test_strips_add_up_to_the_whole_gradient(in_planes, kernel, wanted):
    torch.manual_seed(0)
    x = torch.randn(2, 32, 200, 250).contiguous(memory_format=torch.channels_last)
    grad = torch.randn(2, 8, 200, 250).contiguous(memory_format=torch.channels_last)
    assert x[0].nbytes > STRIP_BYTES  # the last strip is shorter than the others
    parts = [
        torch.randn(8, 32, kernel, kernel, requires_grad=True),
        torch.zeros(8, requires_grad=True),
    ]
    expected = torch.autograd.grad(F.conv2d(x, *parts, padding=kernel // 2), parts, grad)
    found = gradients_in_strips(grad, x, parts[0].detach(), wanted, in_planes)
    for ours, theirs, asked in zip(found, expected, wanted, strict=True):
        assert (ours is not None) == asked
        if asked:
            assert (ours - theirs).norm() / theirs.norm() < 1e-5


@pytest.mark.parametrize(
    ('instructions', 'dtype', 'weight', 'count', 'side', 'way'),
    [
        ('AVX512', torch.bfloat16, (64, 64, 3, 3), 1, 256, Way.STRIPS),
        ('AVX512', torch.bfloat16, (64, 64, 3, 3), 1, 64, Way.WHOLE),
        ('AVX512', torch.bfloat16, (64, 64, 3, 3), 9, 64, Way.STRIPS),
        ('AVX512', torch.float32, (64, 64, 3, 3), 1, 256, Way.WHOLE),
        ('AVX2', torch.float32, (64, 64, 3, 3), 1, 256, Way.PLANES),
        ('AVX2', torch.float32, (64, 64, 3, 3), 9, 64, Way.WHOLE),
        ('AVX2', torch.float32, (16, 16, 3, 3), 1, 256, Way.WHOLE),
        ('AVX2', torch.float32, (64, 32, 7, 7), 1, 256, Way.WHOLE),
        ('AVX2', torch.float64, (64, 64, 3, 3), 1, 256, Way.WHOLE),
        ('DEFAULT', torch.float32, (64, 64, 3, 3), 1, 256, Way.WHOLE),
    ],
)
def test_the_table(instructions, dtype, weight, count, side, way):
    def empty(*shape):
        return torch.empty(shape, dtype=dtype, device='meta')

    grad, x = (empty(count, channels, side, side) for channels in weight[:2])
    assert fastest_way(instructions, grad, x, empty(*weight)) is way
