"""One optimizer for each of a model's networks."""

from mmengine.model import is_model_wrapper
from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper, OptimWrapperDict
from torch import nn

from lada.errors import LadaError
from lada.registry import OPTIM_WRAPPER_CONSTRUCTORS


def single_wrappers(optim_wrapper: OptimWrapper | OptimWrapperDict) -> list[OptimWrapper]:
    """Return the wrappers of the optimizers one by one."""
    return (
        list(optim_wrapper.values())
        if isinstance(optim_wrapper, OptimWrapperDict)
        else [optim_wrapper]
    )


def update_is_complete(optim_wrapper: OptimWrapper | OptimWrapperDict) -> bool:
    """Return whether no gradient waits for further ones of its accumulation
    (``accumulative_counts``).
    """
    return all(wrapper.should_update() for wrapper in single_wrappers(optim_wrapper))


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class MultiOptimWrapperConstructor:
    """Build an :class:`OptimWrapperDict` from a config by the name of the model's part; MMagic's
    name.

    ``optim_wrapper_cfg``: for each part, for example ``generator`` and ``discriminator``, the
    config of an optimizer wrapper, ``paramwise_cfg`` included.
    """

    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg: dict | None = None):
        if paramwise_cfg is not None:
            raise LadaError(
                'MultiOptimWrapperConstructor: give each optimizer its own paramwise_cfg'
            )
        self.optim_wrapper_cfg = optim_wrapper_cfg

    def __call__(self, model: nn.Module) -> OptimWrapperDict:
        model = model.module if is_model_wrapper(model) else model
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
