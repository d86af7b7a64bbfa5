"""Batches of unequal clips are refused before the first iteration."""

import pytest
from torch.utils.data import RandomSampler, SequentialSampler

from lada.data import MosaicVideoDataset
from lada.engine.batches import check_equal_clips
from lada.errors import LadaError
from tests.conftest import make_clips


class InOrder(SequentialSampler):
    shuffle = False


@pytest.fixture(scope='module')
def folder(tmp_path_factory, bikes, bunny):
    """Two clips of 6 frames and 64 pixels, then one of 4 frames, then one of 80 pixels."""
    root = tmp_path_factory.mktemp('unequal')
    make_clips(root, bikes, 2)
    make_clips(root, bunny, 1, frames=4)
    return root


def test_unequal_clips_of_a_batch_are_named(folder):
    whole = MosaicVideoDataset(folder / 'crop_unscaled_meta', -1)
    check_equal_clips(whole, 1, InOrder(whole))
    with pytest.raises(
        LadaError, match=r'bigbuckbunny.*4 frames\) and bikes.*6 frames.*batch_size=1'
    ):
        check_equal_clips(whole, 2, InOrder(whole))
    with pytest.raises(LadaError, match='cannot hold'):
        check_equal_clips(whole, 2, RandomSampler(whole))
    short = MosaicVideoDataset(folder / 'crop_unscaled_meta', 4)
    check_equal_clips(short, 3, InOrder(short))


def test_sizes_count_where_nothing_resizes(tmp_path, bikes, bunny):
    make_clips(tmp_path, bikes, 1)
    make_clips(tmp_path, bunny, 1, size=80)
    folder = tmp_path / 'crop_unscaled_meta'
    steps = [dict(type='LoadClip'), dict(type='DrawMosaic'), dict(type='PackClip')]
    for pipeline in (
        None,
        [steps[0], dict(type='ResizeClip', size=64), *steps[1:]],
        [dict(type='LoadClip', size=64), *steps[1:]],
    ):
        same = MosaicVideoDataset(folder, 4, pipeline=pipeline)
        check_equal_clips(same, 2, InOrder(same))
    unequal = MosaicVideoDataset(folder, 4, pipeline=steps)
    with pytest.raises(LadaError, match=r'4 frames of 80x80.*4 frames of 64x64'):
        check_equal_clips(unequal, 2, InOrder(unequal))
