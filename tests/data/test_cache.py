import os

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from lada.data import ClipDraw, MosaicVideoDataset, init_worker
from lada.data.cache import FrameCache
from lada.errors import LadaError
from lada.video import read_frames

ARGUMENTS = dict(num_frame=6, lq_size=48, degrade=True, use_hflip=True, seed=5)


def same(one, other):
    return torch.equal(one['inputs'], other['inputs']) and all(
        torch.equal(one['data_samples'].get(key), other['data_samples'].get(key))
        for key in ('gt_img', 'mosaic_mask')
    )


@pytest.mark.parametrize('workers', [0, 2])
@pytest.mark.parametrize('max_gb', [1, 1e-4])
def test_samples_are_the_same_bytes_with_and_without(split_v3, tmp_path, workers, max_gb):
    draws = [ClipDraw(index, epoch) for epoch in range(2) for index in range(3)]
    plain = MosaicVideoDataset(split_v3, **ARGUMENTS)
    cached = MosaicVideoDataset(
        split_v3, cache=dict(folder=tmp_path / 'cache', max_gb=max_gb), **ARGUMENTS
    )
    loader = DataLoader(
        cached, sampler=draws * 2, batch_size=None, num_workers=workers, worker_init_fn=init_worker
    )
    for draw, sample in zip(draws * 2, loader, strict=True):
        assert same(sample, plain[draw])
    assert all(path.suffix == '.npy' for path in (tmp_path / 'cache').iterdir())


def test_kept_frames_are_not_decoded_again(split_v3, tmp_path, monkeypatch):
    path = next((split_v3.parent / 'crop_unscaled_img').iterdir())
    cache = FrameCache(tmp_path / 'cache', 1)
    sizes = None, (40, 24)
    first = [cache.read(path, 2, 5, size=size) for size in sizes]
    monkeypatch.setattr('lada.data.cache.read_clip', lambda *a, **k: pytest.fail('decoded again'))
    for size, before in zip(sizes, first, strict=True):
        again = cache.read(path, 2, 5, size=size)
        assert again.shape == before.shape == (64, 64) and again.frames.flags.writeable
        assert np.array_equal(again.frames, before.frames)
        again.frames[:] = 0
        anew = FrameCache(tmp_path / 'cache', 1).read(path, 2, 5, size=size)
        assert np.array_equal(anew.frames, before.frames)


def test_the_limit_is_kept(split_v3, tmp_path):
    files = sorted((split_v3.parent / 'crop_unscaled_img').iterdir())
    cache = FrameCache(tmp_path / 'cache', 150e-6)  # clips of 8, 10 and 12 frames of 64 x 64 pixels
    for path in files:
        cache.read(path, 0, 8)
    assert len(list((tmp_path / 'cache').iterdir())) == 1
    assert sum(path.stat().st_size for path in (tmp_path / 'cache').iterdir()) < 150_000


def test_changed_and_damaged_files_are_read_anew(split, tmp_path):
    path = next((split.parent / 'crop_unscaled_img').iterdir())
    cache = FrameCache(tmp_path / 'cache', 1)
    expected = cache.read(path, 0, 3).frames
    (kept,) = (tmp_path / 'cache').iterdir()
    whole = kept.read_bytes()
    for left in (whole[:5000], whole[:-1], whole[: -len(whole) % 64 - 140]):
        kept.write_bytes(left)
        assert np.array_equal(cache.read(path, 0, 3).frames, expected)
        assert kept.read_bytes() == whole
    os.utime(path, ns=(1, 1))
    assert np.array_equal(cache.read(path, 0, 3).frames, read_frames(path, 0, 3))
    assert len(list((tmp_path / 'cache').iterdir())) == 2


def test_wrong_settings_are_named(split_v3, tmp_path):
    with pytest.raises(LadaError, match='max_gb is 0'):
        MosaicVideoDataset(split_v3, 3, cache=dict(folder=tmp_path, max_gb=0))
    (tmp_path / 'file').touch()
    with pytest.raises(LadaError, match='cannot make the folder'):
        MosaicVideoDataset(split_v3, 3, cache=dict(folder=tmp_path / 'file' / 'x', max_gb=1))
    with pytest.raises(LadaError, match='max_mb'):
        MosaicVideoDataset(split_v3, 3, cache=dict(folder=tmp_path, max_mb=1))
