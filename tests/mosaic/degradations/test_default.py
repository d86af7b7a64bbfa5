"""The default chain, and chains that a config names."""

import numpy as np
import pytest

from lada.data import DegradeClip
from lada.errors import LadaError
from lada.mosaic.degradations.default import default_degradation
from lada.mosaic.degradations.gaussian_blur import GaussianBlur
from lada.randomness import philox
from lada.registry import DEGRADATIONS


def test_the_default_chain(clip):
    chain = default_degradation()
    assert [step.p for step in chain] == [0.9, 0.3, 0.2, 0.15]
    assert chain[3].codecs == ['libx264'] and chain[3].crf_ranges == {'libx264': (24, 28)}
    for seed in range(6):
        results = []
        for _ in range(2):
            rng, frames = philox(seed), clip
            for step in chain:
                frames = step(frames, rng)
            results.append(frames)
        np.testing.assert_array_equal(*results)
        assert np.abs(results[0].astype(int) - clip).mean() < 30


def test_a_config_names_registered_degradations():
    @DEGRADATIONS.register_module()
    class Negative:
        def __call__(self, frames, rng):
            return 255 - frames

    try:
        steps = [dict(type='Negative'), dict(type='lada.GaussianBlur', p=0.5)]
        first, second = DegradeClip(steps).steps
        assert isinstance(first, Negative) and isinstance(second, GaussianBlur)
    finally:
        del DEGRADATIONS.module_dict['Negative']


@pytest.mark.parametrize('step', [dict(type='Rain'), dict(p=1)])
def test_unknown_names_list_the_known_ones(step):
    known = ', '.join(sorted(DEGRADATIONS.module_dict))
    with pytest.raises(LadaError, match=rf'DegradeClip: unknown step .*; known are {known}$'):
        DegradeClip([step])
