"""Optimizer steps that a single bad batch cannot spoil."""

from contextlib import contextmanager

import torch
from mmengine.dist import all_reduce, is_distributed
from mmengine.optim import OptimWrapper as _OptimWrapper

from lada.errors import LadaError
from lada.registry import OPTIM_WRAPPERS

AMP_DTYPES = ('bfloat16', 'float16')


@OPTIM_WRAPPERS.register_module()
class OptimWrapper(_OptimWrapper):
    """MMEngine's wrapper; an update with a non-finite loss or gradient is skipped, on every rank
    alike.

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
        grads = [
            p.grad for group in self.param_groups for p in group['params'] if p.grad is not None
        ]
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
    """Mixed precision on CPU or CUDA: forward passes under autocast, weights and updates in
    float32.

    ``dtype``: ``'bfloat16'``, which has float32's exponent range, or ``'float16'``, for which the
    loss is scaled so that small gradients survive; the scale is kept in checkpoints. A step whose
    scaled gradients overflow is skipped and halves the scale. Checkpoints can be resumed in any
    precision. Raises :class:`LadaError` for another ``dtype``.
    """

    def __init__(self, *args, dtype: str = 'bfloat16', **kwargs):
        super().__init__(*args, **kwargs)
        if dtype not in AMP_DTYPES:
            raise LadaError(
                f'optim_wrapper.dtype: {dtype!r} is no precision to train in; choose from '
                f'{", ".join(AMP_DTYPES)}'
            )
        self.dtype = getattr(torch, dtype)
        device = self.param_groups[0]['params'][0].device.type
        self.loss_scaler = torch.amp.GradScaler(device) if dtype == 'float16' else None

    @contextmanager
    def optim_context(self, model):
        device = next(model.parameters()).device.type
        with super().optim_context(model), torch.autocast(device, dtype=self.dtype):
            yield

    def backward(self, loss, **kwargs) -> None:
        super().backward(
            loss if self.loss_scaler is None else self.loss_scaler.scale(loss), **kwargs
        )

    def step(self, **kwargs) -> None:
        if self.loss_scaler is None:
            super().step(**kwargs)
            return
        self.loss_scaler.unscale_(self.optimizer)
        super().step(**kwargs)
        self.loss_scaler.update()

    def state_dict(self) -> dict:
        state = super().state_dict()
        if self.loss_scaler is not None:
            state['loss_scaler'] = self.loss_scaler.state_dict()
        return state

    def load_state_dict(self, state_dict: dict) -> None:
        if self.loss_scaler is not None and 'loss_scaler' in state_dict:
            self.loss_scaler.load_state_dict(state_dict['loss_scaler'])
        super().load_state_dict(state_dict)
