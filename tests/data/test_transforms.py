from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmcv.transforms import BaseTransform

from lada.data import DrawMosaic, FlipClip, ResizeClip, RotateClip, transforms
from lada.data.transforms.geometry import resize, zero_pads
from lada.errors import LadaError
from lada.registry import TRANSFORMS
from lada.video import read_frames


@pytest.fixture
def results(bikes):
    gt = read_frames(bikes, 0, 3)[:, :60, :90].copy()
    mask = np.zeros(gt.shape[:3], np.uint8)
    mask[:, 10:40, 20:55] = 255
    return {
        'gt': gt,
        'inputs': 255 - gt,
        'mask': mask,
        'pads': np.array([[3, 1, 2, 5]] * 3),
        'crop_shape': (60, 90),
        'block': (7.0, 9.0),
        'origin': np.array([[3.0, 2.0]] * 3),
        'rng': np.random.default_rng(0),
    }


@pytest.mark.parametrize(
    'size, method', [((30, 45), cv2.INTER_AREA), ((120, 180), cv2.INTER_CUBIC)]
)
def test_resizing_is_opencvs_with_the_right_filter(results, size, method):
    frames, masks = results['gt'], results['mask']
    expected = [cv2.resize(frame, size[::-1], interpolation=method) for frame in frames]
    assert np.array_equal(resize(frames, *size), expected)
    resized = resize(masks, *size, mask=True)
    assert resized.shape == (3, *size) and set(np.unique(resized)) == {0, 255}


def test_an_unchanged_size_costs_nothing(results):
    assert resize(results['gt'], 60, 90) is results['gt']


def test_resizing_takes_the_grid_along(results):
    out = ResizeClip((30, 180))(results)
    assert out['inputs'].shape == out['gt'].shape == (3, 30, 180, 3)
    assert out['block'] == (3.5, 18.0)
    assert np.array_equal(out['origin'], [[1.5, 4.0]] * 3)
    assert not out['gt'][:, :2].any() and not out['gt'][:, -1:].any()
    assert not out['gt'][:, :, :4].any() and not out['gt'][:, :, -10:].any()
    assert out['gt'][:, 2:-1, 4:-10].any(axis=(1, 3)).all()


def test_impossible_sizes_are_refused():
    with pytest.raises(LadaError, match='at least 1'):
        ResizeClip(32, scale=0)


@settings(deadline=None, max_examples=50)
@given(
    pads=st.tuples(*[st.integers(0, 9)] * 4), height=st.integers(10, 50), width=st.integers(10, 50)
)
def test_padding_stays_black_through_any_resize(pads, height, width):
    """Every output pixel that any padding touches is zero, every other one is kept."""
    top, bottom, left, right = pads
    frames = np.full((2, height, width, 3), 7, np.uint8)
    zero_pads(frames, np.array([pads, (0, 0, 0, 0)]), (20, 30))
    rows, columns = np.arange(height) * 20 / height, np.arange(width) * 30 / width
    inside = ((rows >= top - 1e-9) & (rows + 20 / height <= 20 - bottom + 1e-9))[:, None] & (
        (columns >= left - 1e-9) & (columns + 30 / width <= 30 - right + 1e-9)
    )
    assert np.array_equal(frames[0, ..., 0] == 7, inside)
    assert (frames[1] == 7).all()


def test_flipping_mirrors_everything(results):
    before = {key: results[key].copy() for key in ('gt', 'inputs', 'mask')}
    out = FlipClip(1)(results)
    for key, frames in before.items():
        assert np.array_equal(out[key], frames[:, :, ::-1])
    assert out['pads'].tolist() == [[3, 1, 5, 2]] * 3
    # Lines were at 2, 11, ..., 83 (the last block ends at 92, beyond the content's edge at 85).
    assert out['origin'].tolist() == [[3.0, 90.0 - 92.0]] * 3


def test_flipping_twice_gives_the_same_lines(results):
    out = FlipClip(1)(FlipClip(1)(results))
    assert np.array_equal(out['origin'], [[3.0, 2.0]] * 3)


def test_turning_keeps_the_clip_together_and_drops_the_grid(results):
    gt, mask = results['gt'].copy(), results['mask'].copy()
    out = RotateClip(1, degrees=[90])(results | dict(inputs=gt.copy()))
    assert out['origin'] is None and out['block'] == (7.0, 9.0)
    assert np.array_equal(out['gt'], out['inputs'])
    square = slice(15, 75)  # the part that a quarter turn keeps within the frame
    assert np.array_equal(out['gt'][:, :, square], np.rot90(gt[:, :, square], axes=(1, 2)))
    assert np.array_equal(out['mask'][:, :, square], np.rot90(mask[:, :, square], axes=(1, 2)))


def test_a_mask_that_is_turned_stays_a_mask(results):
    assert set(np.unique(RotateClip(1)(results)['mask'])) == {0, 255}


@pytest.mark.parametrize('transform', [FlipClip, RotateClip])
def test_probabilities_are_kept(results, transform):
    assert transform(0)(results)['origin'] is results['origin']
    rng = np.random.default_rng(1)
    hits = sum(
        transform(0.3)(results | dict(rng=rng))['origin'] is not results['origin']
        for _ in range(300)
    )
    assert 60 <= hits <= 120


def test_a_mosaic_may_cover_everything_and_no_number_is_drawn_without_the_option(results):
    def drawn(**options):
        one = {**results, 'rng': np.random.default_rng(3)}
        one |= dict(meta=SimpleNamespace(mosaic=None, block_size=8), pads=np.zeros((3, 4), int))
        del one['inputs']
        return DrawMosaic(mod_probs=dict(squa_avg=1.0), **options)(one)

    plain, again, whole = drawn(), drawn(everywhere=0.0), drawn(everywhere=1.0)
    assert np.array_equal(plain['inputs'], again['inputs'])
    assert plain['rng'].random() == again['rng'].random() != whole['rng'].random()
    assert whole['mask'].all() and not plain['mask'].all()
    assert whole['block'] == plain['block']


def test_transforms_are_those_of_mmcv():
    own = [cls for cls in vars(transforms).values() if isinstance(cls, type)]
    assert len(own) == len(transforms.__all__)
    for cls in own:
        assert issubclass(cls, BaseTransform) and TRANSFORMS.get(cls.__name__) is cls
