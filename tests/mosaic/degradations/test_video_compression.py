"""Compression."""

import numpy as np
import pytest

from lada.mosaic.degradations import video_compression
from lada.mosaic.degradations.default import default_degradation
from lada.mosaic.degradations.video_compression import VideoCompression
from lada.randomness import philox


def test_contract(keeps_contract):
    keeps_contract(
        lambda p: VideoCompression(
            p,
            ['libx264', 'mpeg2video'],
            [0.5, 0.5],
            {'libx264': (16, 28)},
            {'mpeg2video': (18_000, 40_000)},
        )
    )


def test_compression_draws_codec_and_quality(monkeypatch):
    calls = []
    monkeypatch.setattr(
        video_compression,
        'recompress',
        lambda frames, codec, **quality: calls.append((codec, quality)),
    )
    frames = np.zeros((2, 128, 512, 3), np.uint8)
    step, rng = default_degradation()[0], philox(0)
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
