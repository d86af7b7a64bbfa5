import pytest
import torch
import torch.nn.functional as F
from torch.autograd import gradcheck

from lada.models.cpu.conv_chain import ConvChain, Link, ResidualChain


def draw(*shape, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randn(shape, generator=generator, dtype=dtype).mul_(0.3).requires_grad_()


def links(dtype=torch.float64):
    return [
        Link(draw(12, 2, 3, 3, dtype=dtype), draw(12, dtype=dtype), 0.1, 2),
        Link(draw(4, 3, 3, 3, dtype=dtype), draw(4, dtype=dtype), 0.2),
        Link(draw(3, 4, 1, 1, dtype=dtype), draw(3, dtype=dtype)),
    ]


def plain(x, chain):
    for weight, bias, slope, factor in chain:
        order = torch.arange(len(bias)).view(factor**2, -1).t().flatten()
        x = F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)[:, order]
        x = F.pixel_shuffle(x, factor)
        x = x if slope is None else F.leaky_relu(x, slope)
    return x


def plain_residual(x, parameters, scale):
    for w1, b1, w2, b2 in zip(*(parameters[i::4] for i in range(4)), strict=True):
        x = x + scale * F.conv2d(F.relu(F.conv2d(x, w1, b1, padding=1)), w2, b2, padding=1)
    return x


def blocks(count, dtype=torch.float64):
    return [
        draw(*shape, dtype=dtype, seed=17 * i)
        for i in range(2 * count)
        for shape in ((4, 4, 3, 3), (4,))
    ]


@pytest.mark.parametrize('ending', [0, 1])
def test_chain_is_the_plain_operations(ending):
    x, chain = draw(2, 2, 5, 4), links()[: 3 - ending]
    inputs = [x, *(part for link in chain for part in link[:2])]
    ours, theirs = ConvChain(chain)(x), plain(x, chain)
    torch.testing.assert_close(ours, theirs)
    pairs = zip(
        torch.autograd.grad(ours.square().sum(), inputs),
        torch.autograd.grad(theirs.square().sum(), inputs),
        strict=True,
    )
    for a, b in pairs:
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize('scale', [1.0, 0.5])
def test_residual_is_the_plain_operations(scale):
    x, parameters = draw(2, 4, 5, 4), blocks(3)
    ours, theirs = ResidualChain(parameters, scale)(x), plain_residual(x, parameters, scale)
    torch.testing.assert_close(ours, theirs)
    pairs = zip(
        torch.autograd.grad(ours.square().sum(), [x, *parameters]),
        torch.autograd.grad(theirs.square().sum(), [x, *parameters]),
        strict=True,
    )
    for a, b in pairs:
        torch.testing.assert_close(a, b)


def test_gradients_against_differences():
    x, chain = draw(1, 2, 3, 3), links()
    parameters = [part for link in chain for part in link[:2]]

    def function(x, *parts):
        return ConvChain(
            [
                Link(w, b, *link[2:])
                for w, b, link in zip(parts[::2], parts[1::2], chain, strict=True)
            ]
        )(x)

    assert gradcheck(function, (x, *parameters), fast_mode=True)
    assert gradcheck(
        lambda x, *parts: ResidualChain(parts)(x), (draw(1, 4, 3, 3), *blocks(1)), fast_mode=True
    )


def test_gradient_of_others_is_left_alone():
    chain, x = links()[:2], draw(1, 2, 4, 4)
    out = ConvChain(chain)(x)
    grad = torch.ones_like(out, memory_format=torch.channels_last)
    out.backward(grad)
    assert torch.equal(grad, torch.ones_like(grad))
    out = ResidualChain(blocks(2))(draw(1, 4, 4, 4))
    grad = torch.ones_like(out, memory_format=torch.channels_last)
    out.backward(grad)
    assert torch.equal(grad, torch.ones_like(grad))


def test_frozen_weights_and_input_get_no_gradient():
    chain = links()
    chain[1].weight.requires_grad_(False)
    x = draw(1, 2, 4, 4).detach()
    ConvChain(chain)(x).sum().backward()
    assert x.grad is None and chain[1].weight.grad is None
    assert chain[0].weight.grad is not None and chain[1].bias.grad is not None


def test_autocast_computes_in_bfloat16_and_keeps_float32_gradients():
    x, chain, parameters = (
        draw(1, 2, 4, 4, dtype=torch.float32),
        links(torch.float32),
        blocks(2, torch.float32),
    )
    exact, exact_residual = (
        ConvChain(chain)(x),
        ResidualChain(parameters)(draw(1, 4, 4, 4, dtype=torch.float32)),
    )
    with torch.autocast('cpu', torch.bfloat16):
        out, residual = (
            ConvChain(chain)(x),
            ResidualChain(parameters)(draw(1, 4, 4, 4, dtype=torch.float32)),
        )
    assert out.dtype == residual.dtype == torch.bfloat16
    torch.testing.assert_close(out.float(), exact, atol=0.03, rtol=0.03)
    torch.testing.assert_close(residual.float(), exact_residual, atol=0.03, rtol=0.03)
    (out.sum() + residual.sum()).backward()
    assert x.grad.dtype == torch.float32
    assert all(
        part.grad.dtype == torch.float32
        for part in [*parameters, *(p for link in chain for p in link[:2])]
    )
