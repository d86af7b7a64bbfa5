"""Optimizers: steps that a single bad batch cannot spoil, mixed precision, one optimizer for each
network.
"""

from contextlib import contextmanager

import torch
from mmengine.dist import all_reduce, is_distributed
from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapperDict
from mmengine.optim import OptimWrapper as _OptimWrapper
from torch import nn

from lada.errors import LadaError
from lada.models.unwrapping import unwrapped
from lada.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS

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
        norm = torch.nn.utils.get_total_norm(grads)
        finite = torch.isfinite(norm).cpu() & self._loss_is_finite.cpu()
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

    Checkpoints can be resumed in any precision.

    Args:
        dtype: ``'bfloat16'``, which has float32's exponent range, or ``'float16'``, for which the
            loss is scaled so that small gradients survive; the scale is kept in checkpoints, and a
            step whose scaled gradients overflow is skipped and halves it.
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


def single_wrappers(optim_wrapper: _OptimWrapper | OptimWrapperDict) -> list[_OptimWrapper]:
    """Return the wrappers of the optimizers one by one."""
    return (
        list(optim_wrapper.values())
        if isinstance(optim_wrapper, OptimWrapperDict)
        else [optim_wrapper]
    )


def update_is_complete(optim_wrapper: _OptimWrapper | OptimWrapperDict) -> bool:
    """Return whether no gradient waits for further ones of its accumulation
    (``accumulative_counts``).
    """
    return all(wrapper.should_update() for wrapper in single_wrappers(optim_wrapper))


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class MultiOptimWrapperConstructor:
    """Build an :class:`OptimWrapperDict` from a config by the name of the model's part; MMagic's
    name.

    Args:
        optim_wrapper_cfg: for each part, for example ``generator`` and ``discriminator``, the
            config of an optimizer wrapper, ``paramwise_cfg`` included.
        paramwise_cfg: refused: each optimizer has its own.
    """

    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg: dict | None = None):
        if paramwise_cfg is not None:
            raise LadaError(
                'MultiOptimWrapperConstructor: give each optimizer its own paramwise_cfg'
            )
        self.optim_wrapper_cfg = optim_wrapper_cfg

    def __call__(self, model: nn.Module) -> OptimWrapperDict:
        model = unwrapped(model)
        wrappers = {}
        for name, config in self.optim_wrapper_cfg.items():
            part = getattr(model, name, None)
            if not isinstance(part, nn.Module):
                raise LadaError(
                    f'optim_wrapper.{name}: the model has no part of that name; its parts are '
                    f'{", ".join(key for key, _ in model.named_children())}'
                )
            config = dict(config)
            wrappers[name] = DefaultOptimWrapperConstructor(
                config, config.pop('paramwise_cfg', None)
            )(part)
        return OptimWrapperDict(**wrappers)
