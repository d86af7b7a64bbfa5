"""Networks for inference: from a config and weights, or the generator from weights alone."""

from pathlib import Path
from typing import cast

import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import MODELS, DefaultScope
from torch import nn

import lada.registry
from lada.checkpoints.architecture import architecture_of
from lada.checkpoints.fitting import fit_state_dict, load_networks, networks_of
from lada.checkpoints.reading import load_state_dict_file
from lada.checkpoints.safetensors_format import SUFFIX, read_architecture
from lada.engine.config import config_errors
from lada.errors import LadaError
from lada.models.placement import place


def choose_device(name: str | None) -> torch.device:
    """Return the device that ``--device`` names; without a name, CUDA where there is one."""
    try:
        device = torch.device(name or ('cuda' if torch.cuda.is_available() else 'cpu'))
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise LadaError(
            f'--device {name}: not usable here ({reason}); use cpu, or cuda with a GPU'
        ) from error
    return device


def load_restorer(config: Config, path: str | Path, device: torch.device) -> BaseModel:
    """Return the config's model in evaluation mode.

    Args:
        config: with ``model``; what only trains is left out of it.
        path: a training checkpoint or exported weights.
        device: where the model goes.

    Raises :class:`LadaError`, in one line, when the weights are of another architecture.
    """
    if config.get('model') is None:
        raise LadaError(
            f'config {config.filename} has no model; name the config that the checkpoint was'
            ' trained with'
        )
    settings = config.model.to_dict()
    # Stage 2: what only trains is left out, and the averaged weights, if any, are the generator's.
    for name in ('discriminator', 'gan_loss', 'perceptual_loss', 'is_use_ema'):
        settings.pop(name, None)
    # The weights hold the flow network: nothing needs to be fetched for it.
    generator = settings.get('generator', {})
    if generator.get('spynet_pretrained'):
        generator['spynet_pretrained'] = None
    with (
        config_errors(config),
        DefaultScope.overwrite_default_scope(config.get('default_scope', 'lada')),
    ):
        model = MODELS.build(settings)
    load_networks(model, str(path))
    return place(model, device).eval()


def load_generator(
    path: str | Path, device: torch.device, config: Config | None = None
) -> nn.Module:
    """Return the generator in evaluation mode.

    Args:
        path: a training checkpoint or exported weights.
        device: where the network goes.
        config: with ``model``; without one, the BasicVSR++ whose sizes the weights tell.

    Raises :class:`LadaError` for other networks.
    """
    if config is not None:
        return cast(nn.Module, load_restorer(config, path, device).generator)
    weights = networks_of(load_state_dict_file(path))['generator_ema']
    stored = read_architecture(Path(path)) if Path(path).suffix.lower() == SUFFIX else None
    generator = lada.registry.MODELS.build(stored or architecture_of(weights, path))
    fit_state_dict(generator, weights, str(path))
    return place(generator, device).eval()
