"""Degrading the input the way videos on the net are."""

from collections.abc import Sequence

from mmcv.transforms import BaseTransform

from lada.data.transforms.geometry import zero_pads
from lada.errors import LadaError
from lada.mosaic.degradations import Degradation
from lada.mosaic.degradations.default import default_degradation
from lada.registry import DEGRADATIONS, SCOPE, TRANSFORMS


@TRANSFORMS.register_module()
class DegradeClip(BaseTransform):
    """Degrade ``inputs``; the padding is zero again afterwards.

    A mosaic video that was read from disk stays as it is: it has been through an encoder.

    Args:
        steps: one ``dict(type=..., ...)`` a degradation, in the order in which they are applied,
            with the names and arguments of classes registered in ``DEGRADATIONS``; None for
            :func:`lada.mosaic.degradations.default.default_degradation`.
    """

    def __init__(self, steps: Sequence[dict] | None = None) -> None:
        self.steps = default_degradation() if steps is None else [_build(step) for step in steps]

    def transform(self, results: dict) -> dict:
        if results.get('rendered'):
            return results
        for step in self.steps:
            results['inputs'] = step(results['inputs'], results['rng'])
        return self.finish(results)

    def finish(self, results: dict) -> dict:
        """Blacken the padding again."""
        zero_pads(results['inputs'], results['pads'], results['crop_shape'])
        return results


def _build(step: dict) -> Degradation:
    name = step.get('type')
    DEGRADATIONS.import_from_location()
    known = DEGRADATIONS.module_dict
    if name is None or (isinstance(name, str) and name.removeprefix(f'{SCOPE}.') not in known):
        raise LadaError(f'DegradeClip: unknown step {name!r}; known are {", ".join(sorted(known))}')
    # Whatever scope is the default, this registry has no other.
    return DEGRADATIONS.build({'_scope_': SCOPE, **step})
