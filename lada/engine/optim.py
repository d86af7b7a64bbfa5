"""Optimizers: steps that a single bad batch cannot spoil, mixed precision, one optimizer for each
network.
"""

import re
from contextlib import contextmanager

import torch
from mmengine.dist import all_reduce, is_distributed
from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapperDict
from mmengine.optim import OptimWrapper as _OptimWrapper
from torch import nn

from lada.errors import LadaError
from lada.models.unwrapping import unwrapped
from lada.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS, OPTIMIZERS

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
    name and arguments.

    A name that is no part's is a pattern (``re.fullmatch``) for the names of modules at any depth.
    ``modules``, a name or a list, takes the place of the key: beside the configs' other keys, or at
    the top, where it makes one wrapper of all that it names.

    Args:
        optim_wrapper_cfg: for each part, for example ``generator`` and ``discriminator``, the
            config of an optimizer wrapper; ``paramwise_cfg`` (``custom_keys`` and the like) where
            the name is a part's.
        paramwise_cfg: refused: each optimizer has its own.
    """

    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg: dict | None = None):
        if not isinstance(optim_wrapper_cfg, dict):
            raise TypeError(
                'MultiOptimWrapperConstructor: optim_wrapper_cfg must be a dictionary, not'
                f' {type(optim_wrapper_cfg).__name__}'
            )
        if paramwise_cfg is not None:
            raise LadaError(
                'MultiOptimWrapperConstructor: give each optimizer its own paramwise_cfg'
            )
        self.optim_wrapper_cfg = optim_wrapper_cfg

    def __call__(self, model: nn.Module) -> _OptimWrapper | OptimWrapperDict:
        model = unwrapped(model)
        if 'modules' in self.optim_wrapper_cfg:
            return _wrapper_of(model, 'optim_wrapper', self.optim_wrapper_cfg)
        return OptimWrapperDict(
            **{
                name: _wrapper_of(model, f'optim_wrapper.{name}', config, name)
                for name, config in self.optim_wrapper_cfg.items()
            }
        )


def _wrapper_of(
    model: nn.Module, place: str, config: dict, name: str | None = None
) -> _OptimWrapper:
    """Return the optimizer wrapper of the modules that ``config`` or its ``name`` names."""
    config = dict(config)
    given = config.pop('modules', name)
    names = [given] if isinstance(given, str) else list(given or ())
    paramwise = config.pop('paramwise_cfg', None)
    parts = dict(model.named_children())
    if len(names) == 1 and names[0] in parts:
        return DefaultOptimWrapperConstructor(config, paramwise)(parts[names[0]])
    if paramwise:
        raise LadaError(
            f'{place}: paramwise_cfg needs the name of one part of the model, which are'
            f' {", ".join(parts)}'
        )
    found = [_modules_by(model, parts, each, place) for each in names]
    # What two patterns match is in the optimizer once.
    parameters = {id(p): p for group in found for module in group for p in module.parameters()}
    config = {'type': 'OptimWrapper'} | config
    settings = {**config.pop('optimizer'), 'params': list(parameters.values())}
    return OPTIM_WRAPPERS.build({**config, 'optimizer': OPTIMIZERS.build(settings)})


def _modules_by(
    model: nn.Module, parts: dict[str, nn.Module], name: str, place: str
) -> list[nn.Module]:
    """Return the part called ``name``, or the modules whose full names match it."""
    if name in parts:
        return [parts[name]]
    found = [module for key, module in model.named_modules() if re.fullmatch(name, key)]
    if not found:
        raise LadaError(
            f'{place}: the model has no part called {name!r}, nor a module whose name it matches;'
            f' its parts are {", ".join(parts)}'
        )
    return found
