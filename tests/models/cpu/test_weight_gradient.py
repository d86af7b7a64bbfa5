import pytest
import torch
import torch.nn.functional as F

from lada.models.cpu.weight_gradient import (
    STRIP_BYTES,
    Way,
    fastest_way,
    gradients_by_products,
    gradients_in_strips,
)


@pytest.mark.parametrize('gradients', [gradients_in_strips, gradients_by_products])
@pytest.mark.parametrize(
    ('kernel', 'wanted'), [(1, (True, True)), (3, (True, True)), (3, (True, False))]
)
def test_parts_add_up_to_the_whole_gradient(gradients, kernel, wanted):
    torch.manual_seed(0)
    x = torch.randn(2, 32, 200, 250).contiguous(memory_format=torch.channels_last)
    grad = torch.randn(2, 8, 200, 250).contiguous(memory_format=torch.channels_last)
    assert x[0].nbytes > STRIP_BYTES  # the last strip is shorter than the others
    compare(gradients, x, grad, kernel, wanted)


@pytest.mark.parametrize('threads', [1, 2, 5])
@pytest.mark.parametrize('height, width', [(1, 1), (3, 70), (41, 5), (9, 5000), (64, 64)])
def test_products_of_any_size(monkeypatch, height, width, threads):
    monkeypatch.setattr(torch, 'get_num_threads', lambda: threads)
    torch.manual_seed(0)
    x, grad = (
        torch.randn(3, channels, height, width).contiguous(memory_format=torch.channels_last)
        for channels in (5, 4)
    )
    for kernel in (1, 3, 5):
        compare(gradients_by_products, x, grad, kernel, (True, True))


def compare(gradients, x, grad, kernel, wanted):
    parts = [
        torch.randn(grad.shape[1], x.shape[1], kernel, kernel, requires_grad=True),
        torch.zeros(grad.shape[1], requires_grad=True),
    ]
    expected = torch.autograd.grad(F.conv2d(x, *parts, padding=kernel // 2), parts, grad)
    found = gradients(grad, x, parts[0].detach(), wanted)
    for ours, theirs, asked in zip(found, expected, wanted, strict=True):
        assert (ours is not None) == asked
        if asked:
            assert ours.shape == theirs.shape
            assert (ours - theirs).norm() / theirs.norm() < 1e-5


@pytest.mark.parametrize(
    ('instructions', 'dtype', 'weight', 'count', 'side', 'way'),
    [
        ('AVX512', torch.bfloat16, (64, 64, 3, 3), 1, 256, Way.STRIPS),
        ('AVX512', torch.bfloat16, (64, 64, 3, 3), 1, 64, Way.WHOLE),
        ('AVX512', torch.bfloat16, (64, 64, 3, 3), 9, 64, Way.STRIPS),
        ('AVX512', torch.float32, (64, 64, 3, 3), 1, 256, Way.WHOLE),
        ('AVX2', torch.float32, (64, 64, 3, 3), 1, 256, Way.PRODUCTS),
        ('AVX2', torch.float32, (64, 64, 3, 3), 9, 64, Way.PRODUCTS),
        ('AVX2', torch.float32, (16, 16, 3, 3), 1, 256, Way.PRODUCTS),
        ('AVX2', torch.float32, (24, 24, 3, 3), 9, 64, Way.WHOLE),
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
