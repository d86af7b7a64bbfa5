import json

import numpy as np
import pytest

from lada.mosaic import base_block_sizes


def rectangle(height, width, size=512):
    mask = np.zeros((1, size, size), np.uint8)
    mask[0, 50 : 50 + height, 60 : 60 + width] = 255
    return mask


@pytest.mark.parametrize(
    ('side', 'expected'),
    [
        (20, 5 + 400 / 1000),
        (50, 6 + 1500 / 5000),
        (100, 7 + 5000 / 20000),
        (200, 8 + 20000 / 30000),
        (300, 12 + 40000 / 50000),
    ],
)
def test_v1_grows_with_the_covered_area(side, expected):
    sizes = base_block_sizes(rectangle(side, side), (512, 512))
    assert sizes['mosaic_size_v1_bounding'] == pytest.approx(expected)
    # A contour runs through the centres of its pixels.
    assert sizes['mosaic_size_v1_normal'] == pytest.approx(expected, abs=0.15)


def test_sizes_scale_with_the_picture():
    small = base_block_sizes(rectangle(50, 80), (540, 960))
    large = base_block_sizes(np.kron(rectangle(50, 80), np.ones((1, 2, 2), np.uint8)), (1080, 1920))
    assert large['mosaic_size_v1_bounding'] == pytest.approx(2 * small['mosaic_size_v1_bounding'])
    assert large['mosaic_size_v2'] == pytest.approx(2 * small['mosaic_size_v2'])


def test_v2_is_one_to_two_hundredths_of_the_crop():
    whole = np.full((1, 300, 400), 255, np.uint8)
    assert base_block_sizes(whole, (720, 1280))['mosaic_size_v2'] == pytest.approx(400 * 0.018)
    assert base_block_sizes(rectangle(1, 1), (720, 1280))['mosaic_size_v2'] == pytest.approx(
        512 * 0.01
    )


@pytest.mark.parametrize(
    ('shape', 'expected'), [((720, 1280), 12), ((1920, 1080), 19), ((100, 200), 4)]
)
def test_v3_is_a_hundredth_of_the_longer_side(shape, expected):
    assert base_block_sizes(rectangle(9, 9), shape)['mosaic_size_v3'] == expected


def test_the_median_frame_counts_and_empty_ones_do_not():
    clip = np.concatenate(
        [rectangle(40, 40), rectangle(90, 90), rectangle(91, 91), rectangle(0, 0)]
    )
    assert base_block_sizes(clip, (512, 512)) == base_block_sizes(rectangle(90, 90), (512, 512))


def test_a_speck_beside_the_region_changes_little():
    mask = rectangle(100, 100)
    before = base_block_sizes(mask, (512, 512))
    mask[0, 2:4, 2:4] = 255
    after = base_block_sizes(mask, (512, 512))
    assert after['mosaic_size_v1_normal'] == before['mosaic_size_v1_normal']
    assert after['mosaic_size_v2'] == before['mosaic_size_v2']


def test_empty_masks_and_json():
    sizes = base_block_sizes(np.zeros((2, 64, 64), np.uint8), (720, 1280))
    assert sizes['mosaic_size_v1_normal'] == pytest.approx(5 * 64 / 512)
    assert json.loads(json.dumps(sizes)) == sizes
    with pytest.raises(ValueError, match='no masks'):
        base_block_sizes(np.zeros((0, 64, 64), np.uint8), (720, 1280))
