import os
import subprocess
import sys

import numpy as np
import pytest

from lada.video import read_frames, recompress

QUALITIES = [
    ('libx264', {'crf': 16}, {'crf': 28}),
    ('libx265', {'crf': 20}, {'crf': 36}),
    ('libvpx-vp9', {'bits_per_frame': 16_000}, {'bits_per_frame': 4_000}),
    ('libvpx-vp9', {'crf': 20}, {'crf': 50}),
    ('mpeg2video', {'bits_per_frame': 40_000}, {'bits_per_frame': 15_000}),
]


@pytest.fixture(scope='module')
def clip(bunny):
    return np.ascontiguousarray(read_frames(bunny, 20, 32)[:, 200:456, 500:756])


def psnr(one, other):
    return 10 * np.log10(255**2 / np.mean((one.astype(np.float32) - other) ** 2))


@pytest.mark.parametrize(('codec', 'fine', 'coarse'), QUALITIES)
def test_strength_follows_quality_and_nothing_else_changes(capfd, clip, codec, fine, coarse):
    good, bad = recompress(clip, codec, **fine), recompress(clip, codec, **coarse)
    assert good.shape == clip.shape and good.dtype == np.uint8
    assert psnr(good, clip) > 33 and psnr(bad, clip) > 24
    assert psnr(good, clip) > psnr(bad, clip) + 1
    # Colours stay in their channels and brightness where it was; frames stay in order.
    for result in (good, bad):
        assert np.abs((result.astype(float) - clip).mean(axis=(0, 1, 2))).max() < 2
        errors = np.abs(result[:, None, ::4, ::4].astype(int) - clip[None, :, ::4, ::4]).mean(
            axis=(2, 3, 4)
        )
        assert (np.abs(errors.argmin(axis=1) - np.arange(len(clip))) <= 1).all()
    np.testing.assert_array_equal(bad, recompress(clip, codec, **coarse))
    assert capfd.readouterr() == ('', '')


@pytest.mark.parametrize('codec', ['libx264', 'libx265', 'libvpx-vp9', 'mpeg2video'])
@pytest.mark.parametrize('shape', [(1, 64, 64), (3, 65, 97), (2, 9, 31), (2, 130, 34)])
def test_any_size(clip, codec, shape):
    count, height, width = shape
    quality = {'bits_per_frame': 60_000} if codec == 'mpeg2video' else {'crf': 10}
    small = clip[:count, :height, :width]
    got = recompress(small, codec, **quality)
    assert got.shape == small.shape
    assert psnr(got, small) > 28


def test_red_stays_red():
    frames = np.zeros((2, 64, 64, 3), np.uint8)
    frames[..., 0] = 230
    for codec, quality in (('libx264', {'crf': 20}), ('mpeg2video', {'bits_per_frame': 20_000})):
        assert np.abs(recompress(frames, codec, **quality).astype(int) - frames).max() <= 6


def test_the_asked_size_is_met(clip):
    """More bits leave more, over the whole range, also where rate control starts badly."""
    left = [
        psnr(recompress(clip, 'mpeg2video', bits_per_frame=bits), clip)
        for bits in (8_000, 16_000, 32_000)
    ]
    assert left[0] + 1 < left[1] < left[2] - 1


def test_wrong_arguments(clip):
    for arguments in ({}, {'crf': 20, 'bits_per_frame': 1000}):
        with pytest.raises(ValueError, match='either crf or bits_per_frame'):
            recompress(clip, 'libx264', **arguments)
    with pytest.raises(ValueError, match='mpeg2video'):
        recompress(clip, 'mpeg2video', crf=20)
    with pytest.raises(ValueError, match='unknown codec'):
        recompress(clip, 'libnone', crf=20)


@pytest.mark.parametrize('codec', ['libx264', 'libx265', 'libvpx-vp9', 'mpeg2video'])
def test_same_bytes_whatever_the_memory_held_before(codec, bikes):
    """Small frames: x264 would read memory that it has not written."""
    program = (
        'import hashlib, sys; from lada.video import read_frames, recompress;frames ='
        ' read_frames(sys.argv[1], 0, 8)[:, :64, :64];rate = dict(bits_per_frame=4000) if "m" in'
        ' sys.argv[2][:1] or "vpx" in sys.argv[2] else'
        ' dict(crf=24);print(hashlib.sha256(recompress(frames, sys.argv[2],'
        ' **rate).tobytes()).hexdigest())'
    )
    hashes = {
        subprocess.run(
            [sys.executable, '-c', program, str(bikes), codec],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, 'MALLOC_PERTURB_': value},
        ).stdout
        for value in ('0', '85', '170')
    }
    assert len(hashes) == 1
