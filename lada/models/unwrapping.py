"""The model inside data-parallel wrappers."""

from typing import cast

from mmengine.model import is_model_wrapper
from torch import nn


def unwrapped(model: nn.Module) -> nn.Module:
    """Return the model that a data-parallel wrapper holds, or the model itself."""
    return cast(nn.Module, model.module) if is_model_wrapper(model) else model


def network_of(model: nn.Module) -> nn.Module:
    """Return a model's generator without its wrapper, or the model where it has none."""
    model = unwrapped(model)
    return unwrapped(getattr(model, 'generator', model))
