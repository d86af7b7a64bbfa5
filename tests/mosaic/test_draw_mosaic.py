import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lada.data.transforms.geometry import resize
from lada.errors import LadaError
from lada.mosaic import MosaicLook, draw_mosaic, random_look
from lada.video import read_frames


def draw_block_by_block(frames, masks, look, pads):
    """The definition, one block after the other."""
    out, out_masks = frames.copy(), np.zeros_like(masks)
    block_h, block_w = look.block_shape
    for t in range(len(frames)):
        top, bottom, left, right = pads[t]
        content = np.s_[top : frames.shape[1] - bottom, left : frames.shape[2] - right]
        frame, mask = frames[t][content], masks[t][content]
        height, width = mask.shape
        mosaic, drawn, rows, columns = frame.copy(), np.zeros_like(mask), [], []
        for i in range(-(-height // block_h)):
            for j in range(-(-width // block_w)):
                y = min(i * block_h + block_h // 2, height - 1)
                x = min(j * block_w + block_w // 2, width - 1)
                if not mask[y, x]:
                    continue
                block = np.s_[i * block_h : (i + 1) * block_h, j * block_w : (j + 1) * block_w]
                if look.mod == 'squa_mid':
                    mosaic[block] = frame[y, x]
                else:
                    pixels = frame[block].reshape(-1, 3).astype(int)
                    mosaic[block] = (2 * pixels.sum(axis=0) + len(pixels)) // (2 * len(pixels))
                drawn[block] = 255
                rows.append(i)
                columns.append(j)
        if (
            look.feather_size >= 0
            and rows
            and max(rows) - min(rows) + 1 > 4
            and max(columns) - min(columns) + 1 > 4
        ):
            size = look.feather_size or look.block_size
            alpha = cv2.blur(mask, (size, size)).astype(np.float32)[..., None] / 255
            mosaic = np.rint((1 - alpha) * frame + alpha * mosaic).astype(np.uint8)
        out[t][content], out_masks[t][content] = mosaic, drawn
    return out, out_masks


looks = st.builds(
    MosaicLook,
    mod=st.sampled_from(['squa_avg', 'squa_mid', 'rect_avg']),
    block_size=st.integers(1, 19),
    rect_ratio=st.floats(1, 2),
    feather_size=st.integers(-1, 12),
)


@st.composite
def clips(draw):
    count, height, width = (
        draw(st.integers(1, 4)),
        draw(st.integers(1, 70)),
        draw(st.integers(1, 70)),
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    frames = rng.integers(0, 256, (count, height, width, 3), dtype=np.uint8)
    masks = np.zeros((count, height, width), np.uint8)
    if draw(st.booleans()):
        masks[rng.random(masks.shape) < draw(st.sampled_from([0.01, 0.5]))] = 255
    for mask in masks:
        centre = int(rng.integers(width)), int(rng.integers(height))
        axes = int(rng.integers(width + 1)), int(rng.integers(height + 1))
        cv2.ellipse(mask, centre, axes, int(rng.integers(180)), 0, 360, 255, -1)
    pads = np.zeros((count, 4), int)
    if draw(st.booleans()):
        pads[:, 0] = rng.integers(0, height, count)
        pads[:, 1] = rng.integers(0, height - pads[:, 0])
        pads[:, 2] = rng.integers(0, width, count)
        pads[:, 3] = rng.integers(0, width - pads[:, 2])
    return frames, masks, pads


@settings(deadline=None, max_examples=250)
@given(clips(), looks)
def test_equals_the_definition_pixel_by_pixel(clip, look):
    frames, masks, pads = clip
    before = frames.copy(), masks.copy()
    got, got_masks = draw_mosaic(frames, masks, look, pads)
    expected, expected_masks = draw_block_by_block(frames, masks, look, pads)
    np.testing.assert_array_equal(got_masks, expected_masks)
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(frames, before[0])
    np.testing.assert_array_equal(masks, before[1])


@pytest.mark.parametrize('mod', ['squa_avg', 'squa_mid', 'rect_avg'])
@pytest.mark.parametrize('feather_size', [-1, 0, 17])
def test_equals_the_definition_on_real_frames(bikes, mod, feather_size):
    frames = read_frames(bikes, 40, 44)
    masks = np.zeros(frames.shape[:3], np.uint8)
    for t, mask in enumerate(masks):
        cv2.ellipse(mask, (300 + 9 * t, 140), (110, 70), 25, 0, 360, 255, -1)
    look = MosaicLook(mod, 11, 1.45, feather_size)
    pads = np.array([[0, 0, 0, 0], [3, 1, 0, 7], [0, 9, 2, 0], [5, 5, 5, 5]])
    for got, expected in zip(
        draw_mosaic(frames, masks, look, pads),
        draw_block_by_block(frames, masks, look, pads),
        strict=True,
    ):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize('size', [256, 151, 80, 400])
@pytest.mark.parametrize('mod', ['squa_avg', 'squa_mid', 'rect_avg'])
@pytest.mark.parametrize('feather_size', [-1, 0, 17])
def test_drawing_on_the_resized_clip_is_drawing_and_resizing(bikes, size, mod, feather_size):
    frames = read_frames(bikes, 40, 43)[:, :256, 150:406].copy()
    masks = np.zeros(frames.shape[:3], np.uint8)
    for t, mask in enumerate(masks):
        cv2.ellipse(mask, (130 + 9 * t, 120), (100, 70), 25, 0, 360, 255, -1)
    look = MosaicLook(mod, 11, 1.45, feather_size)
    pads = np.array([[0, 0, 0, 0], [3, 1, 0, 7], [0, 9, 2, 0]])
    onto, before = (resize(frames, size, size) for _ in range(2))
    got, got_masks = draw_mosaic(
        onto, resize(masks, size, size, mask=True), look, pads, own_masks=masks
    )
    drawn, drawn_masks = draw_mosaic(frames, masks, look, pads)
    expected = resize(drawn, size, size)
    assert np.array_equal(onto, before)
    difference = got.astype(float) - expected
    # The softness of a feathered edge is a whole number of pixels, before or after resizing. One
    # pixel of a small picture was several.
    assert np.mean(difference**2) < (20 if mod == 'squa_mid' and size < 256 else 4)
    method = cv2.INTER_AREA if size < 256 else cv2.INTER_LINEAR
    shares = np.stack(
        [
            cv2.resize(mask.astype(np.float32), (size, size), interpolation=method)
            for mask in drawn_masks
        ]
    )
    for t, (top, bottom, left, right) in enumerate(-(-pads * size // 256)):
        content = np.s_[t, top : size - bottom, left : size - right]
        assert (
            not got_masks[content][shares[content] < 127].any()
            and got_masks[content][shares[content] > 128].all()
        )
        untouched = shares[content] == 0
        assert np.array_equal(got[content][untouched], onto[content][untouched])
        outside = np.ones((size, size), bool)
        outside[content[1:]] = False
        assert not got_masks[t][outside].any() and np.array_equal(got[t][outside], onto[t][outside])


@settings(deadline=None, max_examples=250)
@given(clips(), looks, st.integers(1, 90), st.integers(1, 90))
def test_drawing_on_any_size_stays_inside_the_content_and_under_the_mask(clip, look, height, width):
    frames, masks, pads = clip
    onto = np.random.default_rng(0).integers(
        0, 256, (len(frames), height, width, 3), dtype=np.uint8
    )
    got, got_masks = draw_mosaic(
        onto, resize(masks, height, width, mask=True), look, pads, own_masks=masks
    )
    _, drawn = draw_mosaic(frames, masks, look, pads)
    for t in range(len(frames)):
        top, bottom, left, right = -(
            -pads[t] * [height, height, width, width] // np.repeat(frames.shape[1:3], 2)
        )
        outside = np.ones((height, width), bool)
        outside[top : height - bottom, left : width - right] = False
        if not drawn[t].any():
            outside[:] = True
        assert np.array_equal(got[t][outside], onto[t][outside]) and not got_masks[t][outside].any()
        if drawn[t].all() and look.feather_size < 0:
            assert got_masks[t].all()


def test_no_pads_are_zero_pads():
    rng = np.random.default_rng(3)
    frames = rng.integers(0, 256, (2, 40, 50, 3), dtype=np.uint8)
    masks = np.full((2, 40, 50), 255, np.uint8)
    look = MosaicLook('squa_avg', 7)
    for one, other in zip(
        draw_mosaic(frames, masks, look),
        draw_mosaic(frames, masks, look, np.zeros((2, 4), int)),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def test_an_empty_mask_draws_nothing():
    frames = np.random.default_rng(0).integers(0, 256, (2, 20, 20, 3), dtype=np.uint8)
    got, drawn = draw_mosaic(frames, np.zeros((2, 20, 20), np.uint8), MosaicLook('squa_avg', 4))
    np.testing.assert_array_equal(got, frames)
    assert got is not frames and not drawn.any()


def test_pads_that_leave_nothing_are_refused():
    frames, masks = np.zeros((1, 8, 8, 3), np.uint8), np.zeros((1, 8, 8), np.uint8)
    with pytest.raises(ValueError, match='leave nothing'):
        draw_mosaic(frames, masks, MosaicLook('squa_avg', 4), np.array([[4, 4, 0, 0]]))


def test_block_shapes():
    assert MosaicLook('squa_avg', 9, 1.5).block_shape == (9, 9)
    assert MosaicLook('rect_avg', 9, 1.5).block_shape == (9, 13)


@pytest.mark.parametrize(
    'arguments', [('round', 9), ('squa_avg', 0), ('rect_avg', 5, 0.5), ('squa_avg', 5, 1.0, -2)]
)
def test_impossible_looks_are_refused(arguments):
    with pytest.raises(LadaError, match='mosaic look'):
        MosaicLook(*arguments)


def test_random_looks_follow_their_distribution():
    rng = np.random.default_rng(0)
    looks = [random_look(rng, 10) for _ in range(4000)]
    shares = {
        mod: np.mean([look.mod == mod for look in looks])
        for mod in ('squa_mid', 'squa_avg', 'rect_avg')
    }
    assert shares == pytest.approx({'squa_mid': 0.25, 'squa_avg': 0.30, 'rect_avg': 0.45}, abs=0.03)
    assert {look.block_size for look in looks} == set(range(7, 22))
    assert np.mean([look.feather_size >= 0 for look in looks]) == pytest.approx(0.7, abs=0.03)
    assert max(look.feather_size / look.block_size for look in looks) <= 2.5
    wide = [look.rect_ratio for look in looks if look.mod == 'rect_avg']
    assert min(wide) >= 1.1 and max(wide) <= 1.8


def test_block_sizes_may_be_distributed_evenly_in_octaves():
    rng = np.random.default_rng(0)
    options = dict(size_scale=(0.5, 4.0), size_distribution='loguniform')
    sizes = np.array([random_look(rng, 20, **options).block_size for _ in range(3000)])
    shares = np.histogram(sizes, [10, 20, 40, 80])[0] / len(sizes)
    assert sizes.min() >= 10 and sizes.max() <= 80
    np.testing.assert_allclose(shares, 1 / 3, atol=0.04)
    with pytest.raises(LadaError, match='unknown size_distribution'):
        random_look(rng, 20, size_distribution='normal')


def test_a_random_look_takes_the_same_count_of_numbers_each_time():
    after = set()
    for seed in range(20):
        rng, counted = np.random.default_rng(seed), np.random.default_rng(seed)
        random_look(rng, 8)
        counted.random(5)
        after.add(rng.random() == counted.random())
    assert after == {True}


def test_a_tiny_base_size_gives_blocks_of_two():
    rng = np.random.default_rng(1)
    assert min(random_look(rng, 0.5).block_size for _ in range(50)) == 2


def test_block_sizes_may_be_weighted():
    options = dict(size_scale=(1.0, 8.0), size_distribution='loguniform', size_weights=(3, 0, 1))
    rng = np.random.default_rng(0)
    sizes = np.array([random_look(rng, 100, **options).block_size for _ in range(3000)])
    shares = np.histogram(sizes, [100, 200, 400, 801])[0] / len(sizes)
    np.testing.assert_allclose(shares, (0.75, 0, 0.25), atol=0.03)
    # Equal weights are none, and the other numbers of a look stay as they are.
    looks = [
        [random_look(rng, 100, size_weights=weights) for _ in range(50)]
        for weights in (None, (1, 1), (1, 0))
        for rng in [np.random.default_rng(1)]
    ]
    assert looks[0] == looks[1]
    assert [look.mod for look in looks[0]] == [look.mod for look in looks[2]]
    for wrong in ((), (0, 0), (1, -1), (1, float('nan'))):
        with pytest.raises(LadaError, match='impossible size_weights'):
            random_look(rng, 100, size_weights=wrong)
