"""The block grids that were found reach the network, and interpolation needs none."""

import numpy as np
import pytest
import torch
from torch import nn

from lada.evaluation import psnr
from lada.inference.grids import mosaics_of_window
from lada.inference.interpolation import ConsistentInterpolation
from lada.inference.restore import Item, Restorer
from lada.mosaic import MosaicLook, draw_mosaic
from lada.mosaic.find import MosaicRegion, find_mosaics, mask_of
from lada.video import read_frames

CPU = torch.device('cpu')


@pytest.fixture(scope='module')
def mosaic(bunny):
    """Twelve frames of a real video: clean, with blocks of 12 pixels, and the mask."""
    clean = read_frames(bunny, 0, 12)[:, 160:560, 300:900]
    masks = np.zeros(clean.shape[:3], np.uint8)
    masks[:, 90:300, 150:400] = 255
    return clean, *draw_mosaic(clean, masks, MosaicLook('squa_avg', 12))


def region(track, top, left, side=20, block=4.0):
    mask = np.ones((side, side), bool)
    box = (top, left, top + side, left + side)
    return MosaicRegion(box, mask, (block, block), (float(top), float(left)), 0.9, track)


def test_what_the_finder_says_is_enough_to_interpolate(mosaic):
    clean, drawn, masks = mosaic
    found = list(find_mosaics(drawn))
    items = [
        Item(None, frame, mask_of(regions, frame.shape[:2]), regions=regions)
        for frame, regions in zip(drawn, found, strict=True)
    ]
    restorer = Restorer(ConsistentInterpolation(), CPU, window=8, overlap=2, size=None)
    gains = []
    for item, truth, before, mask in zip(restorer.run(items), clean, drawn, masks, strict=True):
        after = before.copy()
        after[item.box()] = np.clip(np.rint(item.restored), 0, 255)
        assert np.array_equal(after[~item.mask], before[~item.mask])
        gains.append(psnr(after, truth, mask=mask) - psnr(before, truth, mask=mask))
    assert np.mean(gains) > 1
    assert restorer.consistency < 0.5


def test_each_mosaic_has_its_own_grid():
    shape = 60, 80
    regions = [[region(1, 2, 2), region(2, 30, 50, block=6)], [region(2, 31, 51, block=6)], []]
    masks = [mask_of(found, shape) for found in regions]
    masks[2][40:50, 55:65] = True  # masked by hand
    first, second, rest = mosaics_of_window(masks, regions)
    assert first.block == (4, 4) and second.block == (6, 6) and rest.block is None
    assert [mask.sum() for mask in first.masks] == [400, 0, 0]
    assert [mask.sum() for mask in rest.masks] == [0, 0, 100]
    assert second.origin.tolist() == [[30, 50], [31, 51], [31, 51]]
    together = [sum(int(part.masks[t].sum()) for part in (first, second, rest)) for t in range(3)]
    assert together == [int(mask.sum()) for mask in masks]


def test_nothing_found_is_one_mosaic_without_a_grid():
    masks = [np.ones((8, 8), bool)]
    (only,) = mosaics_of_window(masks, [()])
    assert only.block is None and only.masks[0].all()


class Recorder(nn.Module):
    takes_grid = True

    def forward(self, clip, grid):
        self.grid, self.clip = grid, clip
        return clip


def test_the_grid_lies_right_in_the_resized_crop(mosaic):
    _, drawn, masks = mosaic
    side = 12.0
    boxes = [MosaicRegion((0, 0, *m.shape), m != 0, (side, side), (0.0, 0.0), 1, 0) for m in masks]
    items = [
        Item(None, f, m != 0, regions=[r]) for f, m, r in zip(drawn, masks, boxes, strict=True)
    ]
    network = Recorder()
    restorer = Restorer(network, CPU, window=12, overlap=0, size=256)
    list(restorer.run(items))
    # Flat blocks: their own means change nothing, except where resizing has mixed two.
    error = (network.clip - network.grid.consistent(network.clip, network.clip)).abs().max()
    assert error < 1e-6
    spread = network.clip - network.grid.down.within.transpose(-1, -2).view(
        1, 12, 1, 256, -1
    ) @ block_means(network) @ network.grid.across.within.view(1, 12, 1, -1, 256)
    inside = network.grid.masks.expand_as(spread)
    assert spread[inside].abs().median() < 1.5 / 255


def block_means(network):
    grid = network.grid
    weights = grid.masks[0].float()
    sums, counts = (
        grid.down.within @ part @ grid.across.within.transpose(-1, -2)
        for part in (network.clip[0] * weights, weights)
    )
    return (sums / counts.clamp(min=1))[None]
