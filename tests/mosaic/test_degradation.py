import cv2
import numpy as np
import pytest

from lada.mosaic import (
    GaussianBlur,
    GaussianNoise,
    VideoCompression,
    default_degradation,
    degradation,
)
from lada.video import read_frames


@pytest.fixture(scope='module')
def clip(bunny):
    return np.ascontiguousarray(read_frames(bunny, 0, 6)[:, 200:328, 500:628])


def generator(seed=0):
    return np.random.Generator(np.random.Philox(seed))


STEPS = {
    'compression': lambda p: VideoCompression(
        p,
        ['libx264', 'mpeg2video'],
        [0.5, 0.5],
        {'libx264': (16, 28)},
        {'mpeg2video': (18_000, 40_000)},
    ),
    'blur': GaussianBlur,
    'noise': GaussianNoise,
}


@pytest.mark.parametrize('name', STEPS)
def test_steps_are_functions_of_the_generator(clip, name):
    before = clip.copy()
    step = STEPS[name](1.0)
    one, other, third = step(clip, generator(1)), step(clip, generator(1)), step(clip, generator(2))
    np.testing.assert_array_equal(one, other)
    assert one.shape == clip.shape and one.dtype == np.uint8
    assert (one != clip).any() and (one != third).any()
    np.testing.assert_array_equal(clip, before)


@pytest.mark.parametrize('name', STEPS)
def test_what_follows_does_not_depend_on_the_outcome(clip, name):
    after = []
    for p in (0.0, 1.0):
        rng = generator(3)
        result = STEPS[name](p)(clip, rng)
        after.append(rng.random())
        assert (result is clip) == (p == 0)
    assert after[0] == after[1]


@pytest.mark.parametrize('snr', [12, 30, 50])
def test_noise_has_the_asked_power(clip, snr):
    signal = np.clip(clip, 60, 180)
    noise = GaussianNoise(1, snr)(signal, generator()).astype(float) - signal
    deviation = np.sqrt(np.mean(signal.astype(float) ** 2) / 10 ** (snr / 10))
    assert abs(noise.mean()) < 0.05 * deviation + 0.01
    # Rounding to whole grey levels adds a twelfth.
    expected = np.mean(np.rint(np.random.default_rng(0).normal(0, deviation, noise.size)) ** 2)
    assert np.mean(noise**2) == pytest.approx(expected, rel=0.05)
    if snr < 50:
        within = np.mean(np.abs(noise) <= deviation)
        assert within == pytest.approx(0.683, abs=0.08)
    assert abs(np.corrcoef(noise[:, :, 1:].ravel(), noise[:, :, :-1].ravel())[0, 1]) < 0.02
    assert abs(np.corrcoef(noise[1:].ravel(), noise[:-1].ravel())[0, 1]) < 0.02


def test_blur_takes_one_sigma_from_its_range(clip):
    for seed in range(3):
        blurred = GaussianBlur(1, 13, (2, 2))(clip, generator(seed))
        for frame, source in zip(blurred, clip, strict=True):
            np.testing.assert_allclose(
                frame.astype(int), cv2.GaussianBlur(source, (13, 13), 2.0), rtol=0, atol=1
            )


def test_compression_draws_codec_and_quality(monkeypatch):
    calls = []
    monkeypatch.setattr(
        degradation, 'recompress', lambda frames, codec, **quality: calls.append((codec, quality))
    )
    frames = np.zeros((2, 128, 512, 3), np.uint8)
    step, rng = default_degradation()[0], generator()
    for _ in range(3000):
        step(frames, rng)
    assert len(calls) / 3000 == pytest.approx(0.9, abs=0.02)
    shares = {codec: np.mean([call[0] == codec for call in calls]) for codec in step.codecs}
    expected = {'libx264': 0.3, 'libx265': 0.3, 'libvpx-vp9': 0.3, 'mpeg2video': 0.1}
    assert shares == pytest.approx(expected, abs=0.03)
    limits = {
        'libx264': (16, 28),
        'libx265': (20, 36),
        'libvpx-vp9': (6_000, 16_000),
        'mpeg2video': (18_000, 40_000),
    }
    for codec, (low, high) in limits.items():
        name = 'crf' if codec in step.crf_ranges else 'bits_per_frame'
        values = [quality[name] for called, quality in calls if called == codec]
        assert low <= min(values) < low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) < max(values) <= high
    calls.clear()
    VideoCompression(1, ['mpeg2video'], bitrate_ranges={'mpeg2video': (100, 100)})(
        frames[:, :64, :64], rng
    )
    assert calls == [('mpeg2video', {'bits_per_frame': 100 / 16})]


def test_the_default_chain(clip):
    chain = default_degradation()
    assert [step.p for step in chain] == [0.9, 0.3, 0.2, 0.15]
    assert chain[3].codecs == ['libx264'] and chain[3].crf_ranges == {'libx264': (24, 28)}
    for seed in range(6):
        results = []
        for _ in range(2):
            rng, frames = generator(seed), clip
            for step in chain:
                frames = step(frames, rng)
            results.append(frames)
        np.testing.assert_array_equal(*results)
        assert np.abs(results[0].astype(int) - clip).mean() < 30


@pytest.mark.parametrize(
    'arguments',
    [
        {'codecs': []},
        {'codecs': ['libx264']},
        {'codecs': ['libx264'], 'codec_probs': [0.5, 0.5], 'crf_ranges': {'libx264': (1, 2)}},
        {'codecs': ['libx264'], 'codec_probs': [0], 'crf_ranges': {'libx264': (1, 2)}},
        {
            'codecs': ['libx264'],
            'crf_ranges': {'libx264': (1, 2)},
            'bitrate_ranges': {'libx264': (1, 2)},
        },
    ],
)
def test_impossible_settings_are_refused(arguments):
    with pytest.raises(ValueError, match=r'codec_probs|range'):
        VideoCompression(0.5, **arguments)
