import sys
from functools import partial

import pytest
import torch
from torch.autograd import gradcheck

from lada.errors import LadaError
from lada.models.basicvsrpp.deform_conv import check_implementation, modulated_deform_conv2d

sampled = partial(modulated_deform_conv2d, implementation='sampling')


def case(
    batch,
    channels,
    out_channels,
    size,
    groups,
    stride=1,
    padding=1,
    dilation=1,
    kernel=(3, 3),
    spread=3.0,
    dtype=torch.float32,
):
    generator = torch.Generator().manual_seed(7)

    def draw(*shape):
        return torch.randn(shape, generator=generator, dtype=dtype)

    out = [
        (side + 2 * padding - dilation * (k - 1) - 1) // stride + 1
        for side, k in zip(size, kernel, strict=True)
    ]
    taps = kernel[0] * kernel[1]
    inputs = (
        draw(batch, channels, *size),
        draw(batch, 2 * groups * taps, *out) * spread,
        torch.rand(batch, groups * taps, *out, generator=generator, dtype=dtype),
        draw(out_channels, channels, *kernel),
        draw(out_channels),
    )
    return [value.requires_grad_() for value in inputs], dict(
        stride=stride, padding=padding, dilation=dilation
    )


CASES = {
    'network': dict(batch=1, channels=32, out_channels=16, size=(20, 24), groups=16),
    'batch': dict(batch=3, channels=8, out_channels=5, size=(9, 7), groups=2),
    'strided': dict(
        batch=1, channels=6, out_channels=4, size=(11, 8), groups=3, stride=2, padding=2, dilation=2
    ),
    'kernel 1x3, far away': dict(
        batch=2,
        channels=4,
        out_channels=4,
        size=(6, 6),
        groups=1,
        padding=0,
        kernel=(1, 3),
        spread=30.0,
    ),
    'one pixel wide': dict(batch=1, channels=2, out_channels=2, size=(5, 1), groups=1),
}


@pytest.mark.parametrize('name', CASES)
@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last])
def test_same_as_torchvision(name, layout):
    inputs, options = case(**CASES[name])
    results = {}
    for implementation in ('sampling', 'torchvision'):
        moved = [inputs[0].contiguous(memory_format=layout), *inputs[1:]]
        out = modulated_deform_conv2d(*moved, **options, implementation=implementation)
        weights = torch.linspace(0, 1, out.numel()).view(out.shape)
        with torch.no_grad():  # another path with the same values
            alone = modulated_deform_conv2d(*moved, **options, implementation=implementation)
        results[implementation] = [out, alone, *torch.autograd.grad((out * weights).sum(), inputs)]
    for ours, theirs in zip(results['sampling'], results['torchvision'], strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_gradients_against_differences():
    inputs, options = case(2, 4, 3, (3, 4), 2, dtype=torch.float64)
    assert gradcheck(lambda *args: sampled(*args, **options), inputs, fast_mode=True)
    inputs, options = case(1, 2, 1, (3, 2), 1, dtype=torch.float64)
    assert gradcheck(lambda *args: sampled(*args, **options), inputs)


def test_gradients_without_input_gradient_or_bias():
    inputs, options = case(1, 4, 3, (3, 4), 2, dtype=torch.float64)
    x = inputs[0].detach()
    assert gradcheck(lambda *args: sampled(x, *args, **options), inputs[1:4], fast_mode=True)


def test_bit_identical_twice_with_deterministic_algorithms():
    inputs, options = case(2, 32, 16, (12, 12), 16)
    torch.use_deterministic_algorithms(True)
    try:
        runs = []
        for _ in range(2):
            out = sampled(*inputs, **options)
            runs.append([out, *torch.autograd.grad(out.square().sum(), inputs)])
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(torch.equal(a, b) for a, b in zip(*runs, strict=True))


def test_bfloat16_input_keeps_float32_positions():
    inputs, options = case(1, 32, 16, (12, 12), 16)
    exact = sampled(*inputs, **options)
    rounded = sampled(inputs[0].bfloat16(), *inputs[1:], **options)
    assert rounded.dtype == torch.bfloat16
    assert (rounded.float() - exact).norm() / exact.norm() < 0.01


def test_names_are_checked():
    assert check_implementation(None) is None
    assert check_implementation('sampling') == 'sampling'
    with pytest.raises(LadaError, match='unknown implementation'):
        check_implementation('fast')


def test_an_mmcv_without_operators_is_told_at_once(monkeypatch):
    monkeypatch.setitem(sys.modules, 'mmcv.ops', None)
    with pytest.raises(LadaError, match='no compiled operators'):
        check_implementation('mmcv')


def test_same_as_mmcv_where_it_has_its_operators():
    try:
        check_implementation('mmcv')
    except LadaError as error:
        assert 'no compiled operators' in str(error)
        return
    inputs, options = case(**CASES['batch'])
    found, expected = (
        modulated_deform_conv2d(*inputs, **options, implementation=name)
        for name in ('mmcv', 'torchvision')
    )
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_shapes_that_do_not_fit_are_named():
    inputs, options = case(1, 4, 3, (5, 4), 2)
    inputs[1] = inputs[1][:, :-1]
    with pytest.raises(ValueError, match=r'offset \(1, 35, 5, 4\)'):
        modulated_deform_conv2d(*inputs, **options)
