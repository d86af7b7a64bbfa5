"""Finding out from weights alone which network they belong to."""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from mmengine.config import Config
from torch import nn

from lada.checkpoints.fitting import fit_state_dict, networks_of
from lada.checkpoints.reading import load_state_dict_file
from lada.errors import LadaError
from lada.inference.checkpoint import load_restorer
from lada.models import BasicVSRPlusPlusNet


def load_generator(
    checkpoint: str | Path, device: torch.device, config: Config | None = None
) -> nn.Module:
    """Return the generator in evaluation mode; without a config, the BasicVSR++ whose sizes the
    weights tell.

    ``checkpoint``: a training checkpoint or exported weights. Raises :class:`LadaError` for other
    networks.
    """
    if config is not None:
        return load_restorer(config, checkpoint, device).generator
    weights = networks_of(load_state_dict_file(checkpoint))['generator_ema']
    generator = BasicVSRPlusPlusNet(**architecture_of(weights, checkpoint))
    fit_state_dict(generator, weights, str(checkpoint))
    return generator.to(device).eval()


def architecture_of(weights: Mapping[str, torch.Tensor], where: str | Path) -> dict:
    """Return the arguments of the :class:`~lada.models.BasicVSRPlusPlusNet` that has these
    weights.
    """
    blocks = {
        int(match.group(1))
        for key in weights
        if (match := re.match(r'backbone\.backward_1\.main\.2\.(\d+)\.', key))
    }
    first = weights.get('upsample1.upsample_conv.weight')
    if not blocks or first is None:
        raise LadaError(
            f'no BasicVSR++ weights: {where}; name a checkpoint of one, or its config with --config'
        )
    return dict(
        mid_channels=int(first.shape[1]),
        num_blocks=max(blocks) + 1,
        is_low_res_input='feat_extract.main.0.weight' in weights,
    )
