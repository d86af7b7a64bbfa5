"""BasicVSR++ that knows where the blocks lie."""

import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope
from mmengine.structures import BaseDataElement

from lada.errors import LadaError
from lada.models import MosaicGuidedNet
from lada.mosaic import MosaicLook, draw_mosaic
from lada.mosaic.block_grid import BlockGrid
from lada.registry import MODELS
from lada.video import read_frames

NETWORK = dict(
    mid_channels=8, num_blocks=1, head_channels=8, deform_groups=2, flow_channels=(4, 4, 4, 4)
)


@pytest.fixture(scope='module')
def mosaic(bikes) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Two frames of a real video: clean, with blocks of 9 pixels, both in [0, 1], and the mask."""
    clean = read_frames(bikes, 0, 2)[:, :256, 100:356]
    masks = np.zeros((2, 256, 256), np.uint8)
    masks[:, 60:200, 50:180] = 255
    drawn, masks = draw_mosaic(clean, masks, MosaicLook('squa_avg', 9))
    planes = (torch.from_numpy(frames).permute(0, 3, 1, 2)[None] / 255 for frames in (clean, drawn))
    return *planes, torch.from_numpy(masks)[None]


def grid_of(masks: torch.Tensor) -> BlockGrid:
    return BlockGrid(masks, [(9, 9)], [torch.zeros(2, 2)])


@pytest.mark.parametrize('backend', ['plain', 'cpu'])
def test_starts_as_consistent_interpolation(mosaic, backend):
    clean, drawn, masks = mosaic
    grid = grid_of(masks)
    with torch.no_grad():
        output = MosaicGuidedNet(**NETWORK, backend=backend)(drawn, grid)
    inside = (masks != 0)[:, :, None].expand_as(clean)
    errors = [(frames - clean)[inside].square().mean() for frames in (output, drawn)]
    assert errors[0] < 0.7 * errors[1]
    torch.testing.assert_close(output, grid.consistent(grid.interpolate(drawn), drawn))


def test_whatever_it_learns_gives_the_mosaic_back(mosaic, golden):
    _, drawn, masks = mosaic
    net, grid = MosaicGuidedNet(**NETWORK), grid_of(masks)
    golden.set_weights(net)
    with torch.no_grad():
        free = MosaicGuidedNet.forward(net, drawn, None)
        output = net(drawn, grid)
        net.project = False
        loose = net(drawn, grid)
    assert grid.error(output, drawn).max() < 1e-5 < 1e-3 < grid.error(loose, drawn).min()
    outside = (masks == 0)[:, :, None].expand_as(drawn)
    assert torch.equal(output[outside], drawn[outside])
    # Without a grid the whole picture is the network's.
    assert not torch.equal(free[outside], drawn[outside])


def test_both_backends_agree(mosaic, golden):
    _, drawn, masks = mosaic
    results = []
    for backend in ('plain', 'cpu'):
        net = MosaicGuidedNet(**NETWORK, backend=backend)
        golden.set_weights(net)
        output = net(drawn, grid_of(masks))
        output.square().mean().backward()
        results.append([output, *(p.grad for p in net.parameters())])
    torch.testing.assert_close(*results, atol=1e-4, rtol=1e-3)


def test_clips_without_a_grid_may_share_a_batch(mosaic, golden):
    _, drawn, masks = mosaic
    net = MosaicGuidedNet(**NETWORK)
    golden.set_weights(net)
    grid = BlockGrid(masks.repeat(2, 1, 1, 1), [(9, 9), None], [torch.zeros(2, 2), None])
    with torch.no_grad():
        known, unknown = net(drawn.repeat(2, 1, 1, 1, 1), grid)
        torch.testing.assert_close(known[None], net(drawn, grid_of(masks)), atol=1e-5, rtol=0)
        torch.testing.assert_close(unknown[None], net(drawn), atol=1e-5, rtol=0)


def restorer(**network):
    config = dict(
        type='BasicVSR',
        generator=dict(type='MosaicGuidedNet', **(NETWORK | network)),
        pixel_loss=dict(type='CharbonnierLoss'),
    )
    with DefaultScope.overwrite_default_scope('lada'):
        return MODELS.build(config)


def batch(mosaic) -> dict:
    clean, drawn, masks = mosaic
    sample = BaseDataElement(
        gt_img=(clean[0] * 255).to(torch.uint8),
        mosaic_mask=masks[0],
        metainfo=dict(key='clip', mosaic_block=(9.0, 9.0), mosaic_origin=np.zeros((2, 2))),
    )
    return dict(inputs=[(drawn[0] * 255).to(torch.uint8)], data_samples=[sample])


def test_the_restorer_hands_the_grid_over(mosaic):
    _, drawn, masks = mosaic
    model = restorer().eval()
    predicted = model.val_step(batch(mosaic))[0]
    expected = grid_of(masks).interpolate(drawn)
    expected = grid_of(masks).consistent(expected, drawn)[0] * 255
    torch.testing.assert_close(predicted.pred_img, expected.clamp(0, 255), atol=0.5, rtol=0)


def test_the_grid_is_hidden_in_a_share_of_steps_that_can_be_repeated(mosaic):
    model = restorer(hint_drop=0.5)
    hidden = []
    for _ in range(12):
        data = model.data_preprocessor(batch(mosaic), True)
        loss = model(**data, mode='loss')['loss']
        hidden.append(float(loss.detach()))
    # Nothing is trained here: a step starts from the interpolation or from the mosaic.
    assert len({round(loss, 6) for loss in hidden}) == 2
    again = restorer(hint_drop=0.5)
    again.load_state_dict(model.state_dict() | {'step_counter': torch.full((1,), 5.0)})
    for loss in hidden[5:8]:
        data = again.data_preprocessor(batch(mosaic), True)
        assert float(again(**data, mode='loss')['loss'].detach()) == loss


def test_no_ensemble():
    config = dict(
        type='BasicVSR',
        generator=dict(type='MosaicGuidedNet', **NETWORK),
        pixel_loss=dict(type='CharbonnierLoss'),
        ensemble=dict(type='SpatialTemporalEnsemble'),
    )
    with (
        DefaultScope.overwrite_default_scope('lada'),
        pytest.raises(LadaError, match='leave ensemble out'),
    ):
        MODELS.build(config)
