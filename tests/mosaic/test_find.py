"""Mosaics are found where they were drawn, with their grid, and nowhere else."""

import cv2
import numpy as np
import pytest

from lada.mosaic import MosaicLook, draw_mosaic
from lada.mosaic.edge_comb import fit_comb
from lada.mosaic.find import find_mosaics, mask_of
from lada.video import read_frames, recompress

COUNT = 6


@pytest.fixture(scope='module')
def street(bikes):
    """Six frames of 640x272."""
    return read_frames(bikes, 120, 120 + COUNT)


def ellipses(shape, centres, radii):
    masks = np.zeros(shape[:3], np.uint8)
    for mask, (y, x) in zip(masks, centres, strict=True):
        cv2.ellipse(mask, (x, y), radii[::-1], 0, 0, 360, 255, -1)
    return masks


def gray(frames):
    return [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]


def overlap(found, truth):
    """Return the mean intersection over union."""
    masks = np.stack([mask_of(regions, truth.shape[1:]) for regions in found])
    return np.mean([(a & b).sum() / (a | b).sum() for a, b in zip(masks, truth, strict=True)])


def off_grid(region, corner):
    """Return how far the lines in the middle of a region are from a grid's, in pixels."""
    block = np.array(region.block_size)
    middle = np.array(region.box).reshape(2, 2).mean(axis=0)
    line = region.origin + np.rint((middle - region.origin) / block) * block
    off = (line - corner) / block
    return np.abs((off - np.rint(off)) * block).max()


@pytest.mark.parametrize('codec', ['libx264', 'libx265'])
@pytest.mark.parametrize(
    ('look', 'step', 'carried'),
    [
        (MosaicLook('squa_avg', 8), 0, False),
        (MosaicLook('squa_mid', 12, feather_size=0), 3, False),
        (MosaicLook('rect_avg', 13, rect_ratio=1.5), 3, True),
    ],
)
def test_what_was_drawn_is_found_after_an_encoder(street, look, step, carried, codec):
    """Standing still; over a grid that stands still; with its grid."""
    moves = step * np.arange(COUNT)
    masks = ellipses(street.shape, [(130, 220 + move) for move in moves], (75, 110))
    pads = np.zeros((COUNT, 4), int)
    pads[:, 0], pads[:, 2] = 5, (3 + moves * carried) % look.block_shape[1]
    drawn, covered = draw_mosaic(street, masks, look, pads)
    found = list(find_mosaics(recompress(drawn, codec, crf=24)))
    assert [len(regions) for regions in found] == [1] * COUNT
    assert len({regions[0].track for regions in found}) == 1
    assert overlap(found, covered != 0) > 0.85
    for (region,), pad in zip(found, pads, strict=True):
        assert region.block_size == pytest.approx(look.block_shape, rel=0.03)
        assert off_grid(region, pad[[0, 2]]) <= 1
        assert 0.5 < region.confidence <= 1
        top, left, bottom, right = region.box
        assert region.mask.shape == (bottom - top, right - left) and region.mask.dtype == bool


def test_blocks_of_a_fraction_of_a_pixel_after_rescaling(street):
    masks = ellipses(street.shape, [(130, 300)] * COUNT, (90, 120))
    drawn, _ = draw_mosaic(street, masks, MosaicLook('squa_avg', 16))
    small = [cv2.resize(frame, (400, 170), interpolation=cv2.INTER_AREA) for frame in drawn]
    found = list(find_mosaics(recompress(np.stack(small), 'libx264', crf=20)))
    for (region,) in found:
        assert region.block_size == pytest.approx((10, 10), rel=0.01)
    large = [cv2.resize(frame, (660, 280), interpolation=cv2.INTER_CUBIC) for frame in drawn]
    for (region,) in find_mosaics(recompress(np.stack(large), 'libx264', crf=20)):
        assert region.block_size == pytest.approx((16 * 280 / 272, 16.5), rel=0.01)


def test_several_at_once_each_with_its_size(street):
    first, one = draw_mosaic(
        street, ellipses(street.shape, [(130, 130)] * COUNT, (70, 90)), MosaicLook('squa_avg', 9)
    )
    both, two = draw_mosaic(
        first, ellipses(street.shape, [(140, 480)] * COUNT, (80, 100)), MosaicLook('squa_avg', 15)
    )
    found = list(find_mosaics(recompress(both, 'libx264', crf=20)))
    for regions in found:
        assert sorted(round(region.block_size[0]) for region in regions) == [9, 15]
    assert overlap(found, (one | two) != 0) > 0.85


def test_one_that_something_even_crosses_is_found_once(bikes):
    """Seen as two parts for a while, each of which is followed and grows into the whole."""
    frames = read_frames(bikes, 120, 138)
    frames[6:12, :, 270:330] = 60
    masks = np.zeros(frames.shape[:3], np.uint8)
    masks[:, 80:200, 200:400] = 255
    drawn, covered = draw_mosaic(frames, masks, MosaicLook('squa_avg', 10))
    found = list(find_mosaics(drawn))
    assert [len(regions) for regions in found] == [1] * 18
    assert overlap(found, covered != 0) > 0.9


def test_a_long_video_keeps_the_number_of_its_mosaic(street):
    masks = ellipses(street.shape, [(130, 300)] * COUNT, (80, 110))
    drawn, _ = draw_mosaic(street, masks, MosaicLook('squa_avg', 12))
    crops = [frame[20:230, 160:440] for frame in gray(drawn)]
    found = list(find_mosaics(crops[n % COUNT] for n in range(130)))
    assert len(found) == 130
    assert {region.track for regions in found for region in regions} == {0}


def test_one_frame_is_enough_for_a_clear_one(street):
    masks = ellipses(street.shape[:1] + street.shape[1:], [(130, 300)] * COUNT, (80, 110))
    drawn, covered = draw_mosaic(street, masks, MosaicLook('squa_avg', 12))
    found = list(find_mosaics(drawn[:1]))
    assert overlap(found, covered[:1] != 0) > 0.85


def test_clean_video_has_none(street, bunny):
    for frames in (street, read_frames(bunny, 60, 66)):
        assert not any(find_mosaics(frames))
        assert not any(find_mosaics(recompress(frames, 'libx264', crf=35)))


def patterns():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:240, :320]
    yield 'chessboard', np.where((y // 16 + x // 16) % 2, 200, 60)
    wall, page = np.full((240, 320), 120), np.full((240, 320), 240, np.uint8)
    for top in range(5, 220, 24):
        for left in range(4, 300, 18):
            wall[top : top + 14, left : left + 10] = rng.integers(20, 70)
    yield 'windows', wall
    for line in range(14, 240, 18):
        words = ''.join(chr(rng.integers(97, 123)) for _ in range(40))
        cv2.putText(page, words, (5, line), cv2.FONT_HERSHEY_SIMPLEX, 0.45, 10, 1)
    yield 'text', page
    tiles = np.kron(rng.integers(60, 200, (15, 20)), np.ones((16, 16), int))
    tiles[::16], tiles[:, ::16] = 30, 30
    yield 'tiles', tiles
    yield 'bands', x // 8 * 8 % 256
    yield 'noise', rng.integers(0, 256, (240, 320))
    yield 'flat', np.full((240, 320), 90)


@pytest.mark.parametrize(('name', 'picture'), list(patterns()), ids=lambda value: str(value)[:10])
def test_other_patterns_are_none(name, picture):
    frame = picture.astype(np.uint8)
    assert not any(find_mosaics([frame] * COUNT))
    blurred = np.repeat(cv2.GaussianBlur(frame, (0, 0), 0.7)[None, ..., None], 3, axis=3)
    assert not any(find_mosaics(recompress(np.repeat(blurred, COUNT, axis=0), 'libx264', crf=26)))


@pytest.mark.parametrize('shape', [(1, 1), (2, 300), (300, 2), (17, 40), (64, 64), (65, 130)])
def test_frames_of_any_size_are_searched(shape):
    frames = [np.random.default_rng(n).integers(0, 256, shape).astype(np.uint8) for n in range(3)]
    assert list(find_mosaics(frames)) == [[], [], []]


def test_no_frames_no_mosaics():
    assert list(find_mosaics([])) == []


@pytest.mark.parametrize(('period', 'phase'), [(8, 3.0), (12.3, 5.2), (23.7, 11)])
def test_a_comb_with_noise_is_fitted(period, phase):
    rng = np.random.default_rng(1)
    profile = rng.normal(0, 0.05, 300)
    for tooth in np.arange(phase, 299, period):
        place = int(tooth)
        profile[place : place + 2] += rng.uniform(0.3, 1) * np.array(
            [1 - (tooth - place), tooth - place]
        )
    found, start, fit = fit_comb(profile, 1.01 * period, 0.03)
    assert found == pytest.approx(period, rel=0.01) and 0.5 < fit <= 1
    middle = np.rint((150 - start) / found) * found + start
    off = (middle - phase) / period
    assert abs(off - np.rint(off)) * period < 0.5
