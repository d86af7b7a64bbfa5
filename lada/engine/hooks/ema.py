"""Averaging weights over the course of training."""

from collections.abc import Sequence

import torch
from mmengine.hooks import Hook

from lada.errors import LadaError
from lada.models.unwrapping import unwrapped
from lada.registry import HOOKS


@HOOKS.register_module()
class ExponentialMovingAverageHook(Hook):
    """After each ``interval`` iterations move ``<name>_ema`` towards ``<name>``; MMagic's
    arguments.

    Args:
        module_keys: names of averaged modules, each ending in ``_ema``.
        interp_mode: ``lerp``, the only one there is.
        interp_cfg: ``dict(momentum=...)``, the share of the newest weights, 0.001 unless given.
        interval: iterations between two updates.
        start_iter: before this iteration the average is a copy.

    What is not trained (frozen parameters, buffers) is copied. The averages are part of the model's
    state, hence of every checkpoint; this hook runs before a checkpoint is written.
    """

    def __init__(
        self,
        module_keys: str | Sequence[str],
        interp_mode: str = 'lerp',
        interp_cfg: dict | None = None,
        interval: int = 1,
        start_iter: int = 0,
    ):
        self.module_keys = (module_keys,) if isinstance(module_keys, str) else tuple(module_keys)
        self.momentum = (interp_cfg or {}).get('momentum', 0.001)
        self.interval, self.start_iter = interval, start_iter
        wrong = [key for key in self.module_keys if not key.endswith('_ema')]
        if wrong:
            raise LadaError(
                f'ExponentialMovingAverageHook: {wrong[0]} is no averaged module; names end in _ema'
            )
        unknown = set(interp_cfg or {}) - {'momentum'}
        if interp_mode != 'lerp' or unknown or not 0 < self.momentum <= 1:
            raise LadaError(
                f'ExponentialMovingAverageHook: interp_mode={interp_mode!r},'
                f" interp_cfg={interp_cfg!r}; use 'lerp' and dict(momentum=...) above 0 and at"
                ' most 1'
            )

    def before_train(self, runner) -> None:
        for key in self.module_keys:
            if getattr(unwrapped(runner.model), key, None) is None:
                raise LadaError(
                    f'ExponentialMovingAverageHook: the model has no {key}; set is_use_ema=True'
                )

    @torch.no_grad()
    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        copies = runner.iter < self.start_iter
        if not copies and (runner.iter + 1 - self.start_iter) % self.interval:
            return
        model = unwrapped(runner.model)
        for key in self.module_keys:
            averaged, source = getattr(model, key), getattr(model, key.removesuffix('_ema'))
            for average, parameter in zip(averaged.parameters(), source.parameters(), strict=True):
                average.lerp_(
                    parameter, self.momentum if parameter.requires_grad and not copies else 1
                )
            for average, buffer in zip(averaged.buffers(), source.buffers(), strict=True):
                average.copy_(buffer)
