"""Networks for inference: from a config and weights, or the generator from weights alone."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import MODELS, DefaultScope
from torch import nn

import lada.registry
from lada.checkpoints.fitting import fit_state_dict, load_networks, networks_of
from lada.checkpoints.reading import load_state_dict_file
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
    generator = lada.registry.MODELS.build(architecture_of(weights, path))
    fit_state_dict(generator, weights, str(path))
    return place(generator, device).eval()


def architecture_of(weights: Mapping[str, torch.Tensor], where: str | Path) -> dict:
    """Return the config of the network that has these weights: a
    :class:`~lada.models.BasicVSRPlusPlusNet`, or the
    :class:`~lada.models.MosaicGuidedNet` where features are extracted from more than a picture.
    """
    blocks = {
        int(match.group(1))
        for key in weights
        if (match := re.match(r'backbone\.backward_1\.main\.2\.(\d+)\.', key))
    }
    try:
        up, offsets, head = (
            weights[key]
            for key in (
                'upsample1.upsample_conv.weight',
                'deform_align.backward_1.conv_offset.6.weight',
                'conv_hr.weight',
            )
        )
    except KeyError:
        blocks = set()
    if not blocks:
        raise LadaError(
            f'no BasicVSR++ weights: {where}; name a checkpoint of one, or its config with --config'
        )
    sizes = dict(
        mid_channels=int(up.shape[1]),
        num_blocks=max(blocks) + 1,
        head_channels=int(head.shape[0]),
        deform_groups=offsets.shape[0] // 27,
    )
    first = weights.get('feat_extract.0.weight')
    if first is None or first.shape[1] == 3:
        is_low_res_input = first is None
        return dict(type='BasicVSRPlusPlusNet', is_low_res_input=is_low_res_input, **sizes)
    channels = [
        int(weights[f'spynet.basic_module.0.basic_module.{layer}.conv.weight'].shape[0])
        for layer in range(4)
    ]
    return dict(type='MosaicGuidedNet', flow_channels=channels, **sizes)
