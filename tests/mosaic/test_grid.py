from fractions import Fraction

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lada.mosaic.grid import Axis, resized_axis


def block_of_each_pixel(axis):
    """The definition: the block of each pixel of the side, -1 in the padding."""
    pixels = np.arange(axis.length)
    return np.where(
        (pixels >= axis.start) & (pixels < axis.stop), (pixels - axis.start) // axis.block, -1
    )


axes = st.builds(
    lambda before, content, behind, block: Axis(
        before, before + content, block, before + content + behind
    ),
    st.integers(0, 9),
    st.integers(1, 60),
    st.integers(0, 9),
    st.integers(1, 70),
)


@settings(deadline=None)
@given(axes)
def test_blocks_of_an_axis(axis):
    blocks = block_of_each_pixel(axis)
    assert axis.count == blocks.max() + 1
    assert np.array_equal(np.diff(axis.edges()), np.bincount(blocks[blocks >= 0]))
    for block, centre in enumerate(axis.centres()):
        where = np.flatnonzero(blocks == block)
        assert centre == min(where[0] + axis.block // 2, where[-1])
        assert axis.edges()[block] == where[0]


@settings(deadline=None)
@given(axes, st.integers(1, 100))
def test_edges_and_centres_move_with_the_pixels(axis, length):
    new = resized_axis(axis, length)
    if new.content.start >= new.content.stop:
        return  # nothing is left beside the padding
    edges = axis.edges() * (length / axis.length)
    allowed = np.clip(edges, new.content.start, new.content.stop)
    np.testing.assert_allclose(new.edges, allowed, atol=1e-9)
    assert np.array_equal(new.edges_of(slice(0, 1)), new.edges[:2])
    places = [
        int(Fraction(2 * int(centre) + 1, 2) * length / axis.length) for centre in axis.centres()
    ]
    inside = np.arange(length)[new.content]
    assert np.array_equal(new.centres, np.clip(places, inside[0], inside[-1]))


@settings(deadline=None)
@given(axes, st.integers(1, 100))
def test_pixels_show_blocks_by_their_shares(axis, length):
    """Every block's share, from all its pixels, resized with the side; by area where it shrinks,
    else linearly.
    """
    blocks, new = block_of_each_pixel(axis), resized_axis(axis, length)
    blocks = blocks[
        np.clip(np.arange(axis.length), axis.start, axis.stop - 1)
    ]  # borders go on into the padding
    expected = np.stack([resized(blocks == block, length) for block in range(axis.count)], axis=1)
    got = new.fill(np.diag(np.full(axis.count, 255, np.uint8)), slice(0, axis.count), 0)
    assert np.abs(got - 255 * expected[new.content]).max(initial=0) < 0.51


def resized(values, length):
    old = len(values)
    if length >= old:
        return np.interp((np.arange(length) + 0.5) * old / length - 0.5, np.arange(old), values)
    below = np.interp(
        np.arange(length + 1) * old / length, np.arange(old + 1), np.append(0, np.cumsum(values))
    )
    return np.diff(below) * length / old


@settings(deadline=None)
@given(axes, st.integers(1, 100), st.data())
def test_a_run_of_blocks_fills_the_pixels_in_which_it_is_seen(axis, length, data):
    first = data.draw(st.integers(0, axis.count - 1))
    run = slice(first, data.draw(st.integers(first + 1, axis.count)))
    lines = np.zeros((axis.count, 2), np.uint8)
    lines[run] = np.random.default_rng(0).integers(1, 256, (run.stop - run.start, 2))
    new = resized_axis(axis, length)
    everything = new.fill(lines, slice(0, axis.count), 0)
    seen = new.seen(run)
    assert np.array_equal(new.fill(lines[run], run, 0), everything[seen])
    other = np.moveaxis(lines[run, None, :, None], 0, 1)
    assert np.array_equal(new.fill(other, run, 1)[0, ..., 0], everything[seen])
    everything[seen] = 0
    assert not everything.any()


@pytest.mark.parametrize('length', [30, 64, 129])
def test_nothing_inside_is_padding(length):
    """The range is that which resizing keeps free of any padded pixel."""
    axis = Axis(7, 50, 4, 64)
    padded = np.zeros(64, np.float32)
    padded[:7] = padded[50:] = 1
    finer = cv2.resize(padded[None], (length * 64, 1), interpolation=cv2.INTER_NEAREST)
    touched = finer.reshape(length, 64).any(axis=1)
    assert np.array_equal(
        np.flatnonzero(~touched), np.arange(length)[resized_axis(axis, length).content]
    )
