"""Which network a file of weights belongs to."""

import re
from collections.abc import Mapping
from pathlib import Path

import torch

from lada.errors import LadaError


def architecture_of(weights: Mapping[str, torch.Tensor], where: str | Path) -> dict:
    """Return the config of the network that has these weights: a
    ``BasicVSRPlusPlusNet``, or the
    ``MosaicGuidedNet`` where features are extracted from more than a picture.
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
