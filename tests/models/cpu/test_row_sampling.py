import torch
import torch.nn.functional as F
from torch.autograd import gradcheck

from lada.models.basicvsrpp.flow_warp import flow_warp
from lada.models.cpu.group_warp import warp_groups
from lada.models.cpu.row_sampling import padded, sample_rows


def test_same_as_grid_sample_also_far_outside():
    torch.manual_seed(0)
    x, places = torch.randn(1, 6, 5, 7), torch.randn(40, 2, 2, 3) * 8
    factor = torch.rand(40, 2, 3)
    grid = (2 * places + 1) / torch.tensor([7, 5]).view(1, 2, 1, 1) - 1
    grid = grid.permute(2, 3, 0, 1)
    expected = (
        F.grid_sample(x.view(2, 3, 5, 7), grid, align_corners=False).permute(3, 0, 2, 1)
        * factor[..., None]
    )
    samples = sample_rows(padded(x, torch.float32)[0], places + 1, factor)
    torch.testing.assert_close(samples, expected, atol=1e-5, rtol=0)


def test_places_that_are_not_numbers_hurt_nobody_else():
    table = padded(torch.randn(1, 2, 4, 4), torch.float32)[0]
    places = torch.full((2, 2, 1, 1), 2.0)
    places[0] = torch.tensor([float('nan'), float('inf')]).view(2, 1, 1)
    assert torch.equal(sample_rows(table, places)[1, 0, 0], table[2, 2])


def test_groups_are_warped_like_images():
    torch.manual_seed(0)
    x, flows = torch.randn(2, 6, 5, 7), torch.randn(2, 5, 7, 2, 2) * 3
    expected = torch.cat([flow_warp(x[:, 3 * i : 3 * i + 3], flows[..., i]) for i in range(2)], 1)
    torch.testing.assert_close(warp_groups(x, flows), expected, atol=1e-5, rtol=0)


def test_gradients_of_warped_groups_against_differences():
    torch.manual_seed(0)
    inputs = [
        torch.randn(*shape, dtype=torch.float64).requires_grad_()
        for shape in ((1, 4, 4, 3), (1, 4, 3, 2, 2))
    ]
    assert gradcheck(warp_groups, inputs)
