"""Noise."""

import numpy as np
import pytest

from lada.mosaic.degradations.gaussian_noise import GaussianNoise
from lada.randomness import philox


def test_contract(keeps_contract):
    keeps_contract(GaussianNoise)


@pytest.mark.parametrize('snr', [12, 30, 50])
def test_noise_has_the_asked_power(clip, snr):
    signal = np.clip(clip, 60, 180)
    noise = GaussianNoise(1, snr)(signal, philox(0)).astype(float) - signal
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
