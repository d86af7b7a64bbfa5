"""Degrading the input the way videos on the net are."""

from collections.abc import Sequence

from lada.data.transforms.geometry import zero_pads
from lada.errors import LadaError
from lada.mosaic.degradation import (
    GaussianBlur,
    GaussianNoise,
    VideoCompression,
    default_degradation,
)
from lada.registry import TRANSFORMS

STEPS = {step.__name__: step for step in (VideoCompression, GaussianBlur, GaussianNoise)}


@TRANSFORMS.register_module()
class DegradeClip:
    """Degrade ``inputs``; the padding is zero again afterwards.

    A mosaic video that was read from disk stays as it is: it has been through an encoder.

    Args:
        steps: None for :func:`lada.mosaic.degradation.default_degradation`, or one ``dict(type=...,
            ...)`` a step, with the names and arguments of that module.
    """

    def __init__(self, steps: Sequence[dict] | None = None) -> None:
        self.steps = default_degradation() if steps is None else [_build(step) for step in steps]

    def __call__(self, results: dict) -> dict:
        if results.get('rendered'):
            return results
        for step in self.steps:
            results['inputs'] = step(results['inputs'], results['rng'])
        return self.finish(results)

    def finish(self, results: dict) -> dict:
        """Blacken the padding again."""
        zero_pads(results['inputs'], results['pads'], results['crop_shape'])
        return results


def _build(step: dict):
    options = dict(step)
    name = options.pop('type', None)
    if name not in STEPS:
        raise LadaError(f'DegradeClip: unknown step {name!r}; known are {", ".join(STEPS)}')
    return STEPS[name](**options)
