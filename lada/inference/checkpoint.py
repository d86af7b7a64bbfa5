"""A trained model from a config and a checkpoint."""

from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import MODELS, DefaultScope

from lada.checkpoints.finding import load_generator_weights
from lada.engine.config import config_errors
from lada.errors import LadaError
from lada.text import reason


def choose_device(name: str | None) -> torch.device:
    """Return the device that ``--device`` names; without a name, CUDA where there is one."""
    try:
        device = torch.device(name or ('cuda' if torch.cuda.is_available() else 'cpu'))
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise LadaError(
            f'--device {name}: not usable here ({reason(error)}); use cpu, or cuda with a GPU'
        ) from error
    return device


def load_restorer(config: Config, checkpoint: str | Path, device: torch.device) -> BaseModel:
    """Return the config's model in evaluation mode with the weights of a training checkpoint or
    exported file.

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
    # The checkpoint holds the flow network: nothing needs to be fetched for it.
    generator = settings.get('generator', {})
    if generator.get('spynet_pretrained'):
        generator['spynet_pretrained'] = None
    with (
        config_errors(str(config.filename)),
        DefaultScope.overwrite_default_scope(config.get('default_scope', 'lada')),
    ):
        model = MODELS.build(settings)
    load_generator_weights(model, str(checkpoint))
    return model.to(device).eval()
