import numpy as np
import pytest
import torch

from lada.models import flow_warp


@pytest.mark.parametrize('padding_mode', ['zeros', 'border'])
def test_golden(golden, padding_mode):
    data = golden.load('losses_discriminator_warp')
    image, flow = golden.rnd(26, 1, 4, 16, 20), golden.rnd(25, 1, 16, 20, 2) * 6 - 3
    warped = flow_warp(image, flow, padding_mode=padding_mode)
    np.testing.assert_allclose(warped, data[f'flow_warp_{padding_mode}'], atol=1e-5)


def test_whole_pixel_flow_moves_the_picture():
    image = torch.rand(2, 3, 6, 8)
    flow = torch.zeros(2, 6, 8, 2)
    flow[..., 0], flow[..., 1] = 2, -1
    warped = flow_warp(image, flow)
    torch.testing.assert_close(warped[:, :, 1:, :6], image[:, :, :-1, 2:], atol=1e-5, rtol=0)
    assert warped[:, :, 0].abs().max() < 1e-5 and warped[..., 6:].abs().max() < 1e-5


def test_half_precision_images_are_sampled_in_float32():
    image, flow = torch.rand(1, 3, 64, 64), torch.rand(1, 64, 64, 2) * 10
    warped = flow_warp(image.bfloat16(), flow.bfloat16().float())
    exact = flow_warp(image.bfloat16().float(), flow.bfloat16().float())
    assert warped.dtype == torch.bfloat16
    torch.testing.assert_close(warped.float(), exact, atol=0.005, rtol=0)


def test_other_sizes_are_refused():
    with pytest.raises(ValueError, match=r'\(1, 3, 4, 4\).*\(1, 4, 5, 2\)'):
        flow_warp(torch.rand(1, 3, 4, 4), torch.rand(1, 4, 5, 2))
