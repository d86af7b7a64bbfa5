"""What a mosaic's blocks say about the picture beneath."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lada.mosaic.block_grid import BlockGrid


@settings(deadline=None, max_examples=40)
@given(
    block=st.tuples(st.floats(1, 40), st.floats(1, 40)),
    origin=st.tuples(st.floats(-50, 50), st.floats(-50, 50)),
    seed=st.integers(0, 99),
)
def test_projection_is_exact_idempotent_and_leaves_the_rest_alone(block, origin, seed):
    rng = torch.Generator().manual_seed(seed)
    frames, mosaic = torch.rand(2, 1, 2, 3, 40, 48, generator=rng)
    masks = torch.rand(1, 2, 40, 48, generator=rng) > 0.4
    grid = BlockGrid(masks, [block], [torch.tensor([origin, origin])])
    once = grid.consistent(frames, mosaic)
    assert grid.error(once, mosaic).max() < 1e-5
    torch.testing.assert_close(grid.consistent(once, mosaic), once, atol=1e-5, rtol=0)
    outside = ~masks[:, :, None].expand_as(frames)
    assert torch.equal(once[outside], frames[outside])
    # Nothing nearer gives the mosaic back: a random consistent picture is further away.
    other = grid.consistent(torch.rand(frames.shape, generator=rng), mosaic)
    assert (once - frames).square().sum() <= (other - frames).square().sum() + 1e-4


def test_interpolates_like_opencv():
    blocks = np.random.default_rng(1).random((9, 11)).astype(np.float32)
    side = 8
    mosaic = np.kron(blocks, np.ones((side, side), np.float32))
    grid = BlockGrid(torch.ones(1, 1, *mosaic.shape), [(side, side)], [torch.zeros(1, 2)])
    smooth = grid.interpolate(torch.from_numpy(mosaic)[None, None, None])[0, 0, 0]
    size = (11 * side, 9 * side)
    reference = cv2.resize(blocks, size, interpolation=cv2.INTER_CUBIC)
    np.testing.assert_allclose(smooth, reference, atol=1e-5)


def test_gradients_pass_without_what_the_projection_removes():
    grid = BlockGrid(torch.ones(1, 1, 16, 16), [(4, 4)], [torch.zeros(1, 2)])
    frames = torch.rand(1, 1, 3, 16, 16, requires_grad=True)
    grid.consistent(frames, torch.rand(1, 1, 3, 16, 16)).square().sum().backward()
    assert frames.grad is not None
    means = frames.grad.unfold(3, 4, 4).unfold(4, 4, 4).mean((-1, -2))
    assert means.abs().max() < 1e-6 < frames.grad.abs().mean()


@pytest.mark.parametrize('block', [None, (0.5, 4.0)])
def test_an_unknown_grid_changes_nothing(block):
    grid = BlockGrid(torch.ones(1, 1, 16, 16), [block], [torch.zeros(1, 2)])
    frames = torch.rand(1, 1, 3, 16, 16)
    assert not grid.known.any()
    assert torch.equal(grid.consistent(grid.interpolate(frames), torch.rand_like(frames)), frames)


def test_half_precision_is_left_alone():
    grid = BlockGrid(torch.ones(1, 1, 16, 16), [(4, 4)], [torch.zeros(1, 2)])
    frames = torch.rand(1, 1, 3, 16, 16)
    with torch.autocast('cpu', torch.bfloat16):
        result = grid.consistent(grid.interpolate(frames), frames)
    assert torch.equal(result, grid.consistent(grid.interpolate(frames), frames))
