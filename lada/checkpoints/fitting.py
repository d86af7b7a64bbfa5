"""Putting weights into a model, or saying which of them do not fit."""

import re
from collections import OrderedDict
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from mmengine.runner.checkpoint import get_state_dict
from mmengine.runner.checkpoint import load_state_dict as load_into_wrapped
from torch import Tensor, nn

from lada.checkpoints.reading import load_state_dict_file
from lada.errors import LadaError
from lada.text import some


def fit_state_dict(
    module: nn.Module,
    state_dict: Mapping[str, Tensor],
    where: str | Path,
    *,
    strict: bool = True,
    optional: Collection[str] = (),
) -> None:
    """Load ``state_dict`` into a module, itself or parts of it wrapped for data-parallel training.

    Raises :class:`LadaError` naming the first keys that do not fit.

    Args:
        module: what takes the weights.
        state_dict: the weights by key.
        where: what the error names, a path or address.
        strict: missing and unexpected keys are errors; another shape always is one.
        optional: keys that may be missing all the same.
    """
    own = get_state_dict(module)
    problems = {
        'other shapes': [
            f'{key} is {tuple(state_dict[key].shape)} there and {tuple(own[key].shape)} here'
            for key in own
            if key in state_dict and state_dict[key].shape != own[key].shape
        ],
        'missing': [key for key in own if key not in state_dict and key not in optional],
        'not in this model': [key for key in state_dict if key not in own],
    }
    told = [
        f'{kind}: {some(keys, 3)}'
        for kind, keys in problems.items()
        if keys and (strict or kind == 'other shapes')
    ]
    if told:
        raise LadaError(
            f'weights of another architecture: {where} does not fit {type(module).__name__}'
            f' ({"; ".join(told)}); use the config they were trained with'
        )
    fitting = {key: value for key, value in state_dict.items() if key in own}
    load_into_wrapped(module, OrderedDict({**own, **fitting}), strict=True)


def load_into(
    module: nn.Module,
    path_or_url: str | Path,
    *,
    prefix: str = '',
    strict: bool = True,
    optional: Collection[str] = (),
) -> None:
    """Load a file's state dict, or the part of it under ``prefix``, into ``module``.

    Args:
        module: what takes the weights.
        path_or_url: as in :func:`lada.checkpoints.reading.load_weights_file`.
        prefix: of the keys to take, without which they are then.
        strict: as in :func:`fit_state_dict`.
        optional: likewise.
    """
    state = load_state_dict_file(path_or_url)
    if prefix:
        state = part_of(state, prefix.rstrip('.'))
        if not state:
            raise LadaError(f'no weights under "{prefix}" in: {path_or_url}; check the prefix')
    fit_state_dict(module, state, path_or_url, strict=strict, optional=optional)


def load_networks(model: Any, path: str | Path) -> None:
    """Start a model from a file's weights; its training counters are left out.

    Accepts a training checkpoint, a bare restorer state dict, or a bare generator state dict (the
    exported form). A model without an average of its weights gets the file's average where there is
    one; a model with a discriminator gets the file's, if any.
    """
    parts = networks_of(load_state_dict_file(path))
    averaged = getattr(model, 'generator_ema', None)
    if averaged is None:
        fit_state_dict(model.generator, parts['generator_ema'], path)
    else:
        fit_state_dict(model.generator, parts['generator'], path)
        fit_state_dict(averaged, parts['generator_ema'], path)
    discriminator = getattr(model, 'discriminator', None)
    if parts['discriminator'] and discriminator is not None:
        fit_state_dict(discriminator, parts['discriminator'], path)


def networks_of(state_dict: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Return the weights of ``generator``, ``generator_ema`` and ``discriminator`` in a state dict.

    A state dict without such names is a bare generator's; an average that is missing is the
    generator itself.
    """
    state_dict = {re.sub(r'^module\.', '', key): value for key, value in state_dict.items()}
    names = ('generator', 'generator_ema', 'discriminator')
    parts = {name: part_of(state_dict, name) for name in names}
    parts['generator'] = parts['generator'] or state_dict
    parts['generator_ema'] = parts['generator_ema'] or parts['generator']
    return parts


def part_of(state_dict: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """Return what stands under ``name.``, by its keys without that."""
    dot = f'{name}.'
    return {key[len(dot) :]: value for key, value in state_dict.items() if key.startswith(dot)}
