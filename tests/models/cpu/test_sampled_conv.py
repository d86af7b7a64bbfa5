import pytest
import torch
from torch.autograd import gradcheck

from lada.models.cpu.sampled_conv import sampled_conv


@pytest.mark.parametrize('reach', [5.0, 0.0])
def test_raw_places_go_through_a_sigmoid(reach):
    generator = torch.Generator().manual_seed(3)
    shapes = (2, 4, 5, 6), (2, 5, 6, 2, 2), (2, 5, 6, 3, 2, 9), (3, 4, 3, 3), (3,)
    x, base, raw, weight, bias = (
        torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes
    )
    base = 3 * base + 2
    inputs = [part.requires_grad_() for part in (x, base, raw, weight, bias)]
    assert gradcheck(lambda *parts: sampled_conv(*parts, 1, 1, reach=reach), inputs, fast_mode=True)

    def plain(x, base, raw, weight, bias):
        places = torch.sigmoid(raw)
        places = torch.cat([places[..., :2, :, :] * reach, places[..., 2:, :, :]], 3)
        return sampled_conv(x, base, places, weight, bias, 1, 1)

    ours, theirs = (
        function(*inputs)
        for function in (lambda *parts: sampled_conv(*parts, 1, 1, reach=reach), plain)
    )
    torch.testing.assert_close(ours, theirs)
    for one, other in zip(
        *(torch.autograd.grad(out.square().sum(), inputs) for out in (ours, theirs)), strict=True
    ):
        torch.testing.assert_close(one, other)
    with torch.no_grad():
        torch.testing.assert_close(sampled_conv(*inputs, 1, 1, reach=reach), theirs)
