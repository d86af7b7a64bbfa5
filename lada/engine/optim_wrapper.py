"""Optimizer steps that a single bad batch cannot spoil."""

from contextlib import contextmanager

import torch
from mmengine.dist import all_reduce, is_distributed
from mmengine.optim import OptimWrapper as _OptimWrapper

from lada.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class OptimWrapper(_OptimWrapper):
    """MMEngine's wrapper; an update with a non-finite loss or gradient is skipped, on every rank alike.

    ``skipped`` tells whether the last step was.
    """

    skipped = False

    def update_params(self, loss, step_kwargs=None, zero_kwargs=None) -> None:
        self.skipped = False
        self._loss_is_finite = torch.isfinite(loss.detach()).all()
        super().update_params(loss, step_kwargs, zero_kwargs)

    def step(self, **kwargs) -> None:
        self.skipped = not self._all_finite()
        if not self.skipped:
            super().step(**kwargs)

    def _all_finite(self) -> bool:
        grads = [p.grad for group in self.param_groups for p in group['params'] if p.grad is not None]
        norms = torch.stack(torch._foreach_norm(grads)) if grads else torch.zeros(1)
        finite = torch.isfinite(norms).all().cpu() & self._loss_is_finite.cpu()
        if is_distributed():
            # Gradients are averaged and agree; a loss is each rank's own.
            agreed = finite.int()
            all_reduce(agreed, 'min')
            return bool(agreed)
        return bool(finite)


@OPTIM_WRAPPERS.register_module()
class AutocastOptimWrapper(OptimWrapper):
    """Forward passes under bfloat16 autocast, on CPU or CUDA.

    bfloat16 has float32's exponent range, so no loss scaling is needed. For float16 with scaling name MMEngine's
    ``AmpOptimWrapper`` in the config (CUDA only).
    """

    @contextmanager
    def optim_context(self, model):
        device = next(model.parameters()).device.type
        with super().optim_context(model), torch.autocast(device, dtype=torch.bfloat16):
            yield
