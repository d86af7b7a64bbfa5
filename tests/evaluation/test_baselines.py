"""Interpolation of block means."""

import numpy as np
import pytest

from lada.evaluation import ClipGrid, psnr
from lada.mosaic import MosaicLook, draw_mosaic


def test_a_ramp_comes_back(clip):
    """Between the centres of blocks, cubic interpolation is exact on a straight line."""
    y, x = np.mgrid[:96, :112]
    ramp = np.repeat((40 + y + 0.5 * x)[..., None], 3, axis=2)
    frames = np.rint(ramp).astype(np.uint8)[None]
    masks = np.zeros((1, 96, 112), np.uint8)
    masks[:, 24:72, 24:88] = 255
    mosaic, masks = draw_mosaic(frames, masks, MosaicLook('squa_avg', 8))
    smooth = ClipGrid(masks, (8, 8), np.zeros((1, 2))).interpolate(mosaic)[0]
    assert np.abs(smooth[0].astype(float) - ramp)[masks[0] != 0].max() < 1.1
    assert np.array_equal(smooth[masks == 0], mosaic[masks == 0])


@pytest.mark.parametrize(
    'look', [MosaicLook('squa_avg', 8), MosaicLook('rect_avg', 7, 1.5), MosaicLook('squa_mid', 6)]
)
def test_beats_the_mosaic_on_a_real_clip(clip, look):
    clean, _, masks = clip
    mosaic, masks = draw_mosaic(clean, masks, look)
    grid = ClipGrid(masks, look.block_shape, np.zeros((6, 2)))
    bicubic, consistent = grid.interpolate(mosaic)
    before, after, best = (
        psnr(frames[0], clean[0], mask=masks[0]) for frames in (mosaic, bicubic, consistent)
    )
    assert after > before + 0.5
    if look.mod != 'squa_mid':
        assert best > after + 0.1
        assert grid.error(consistent, mosaic) < 0.5 < grid.error(bicubic, mosaic)
        assert grid.error(clean, mosaic) < 0.5
    assert grid.error(mosaic, mosaic) == 0


def test_grid_may_start_anywhere_and_be_fractional(clip):
    clean, mosaic, masks = clip
    shifted = np.roll(mosaic, (3, 5), axis=(1, 2)), np.roll(masks, (3, 5), axis=(1, 2))
    plain = ClipGrid(masks, (8, 8), np.zeros((6, 2))).interpolate(mosaic)
    moved = ClipGrid(shifted[1], (8, 8), np.tile([3.0, 5.0], (6, 1))).interpolate(shifted[0])
    inside = shifted[1] != 0
    for before, after in zip(plain, moved, strict=True):
        assert np.array_equal(after[inside], np.roll(before, (3, 5), axis=(1, 2))[inside])
    for block in ((8.5, 7.25), (0.7, 0.7), (500.0, 500.0)):
        bicubic, _ = ClipGrid(masks, block, np.full((6, 2), -2.5)).interpolate(mosaic)
        assert bicubic.shape == clean.shape


def test_frames_without_mosaic_stay(clip):
    clean, _, masks = clip
    grid = ClipGrid(np.zeros_like(masks), (8, 8), np.zeros((6, 2)))
    assert all(np.array_equal(frames, clean) for frames in grid.interpolate(clean))
    assert np.isnan(grid.error(clean, clean))
