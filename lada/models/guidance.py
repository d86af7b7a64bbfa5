"""Telling a network where the blocks of the mosaic lie."""

from typing import Any

import torch.nn.functional as F
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from lada.data.data_sample import stack_samples
from lada.models.unwrapping import unwrapped
from lada.mosaic.block_grid import BlockGrid
from lada.randomness import keyed_rng


def takes_grid(generator: nn.Module) -> bool:
    """Tell whether a network, wrapped or not, takes a block grid beside the clip."""
    return getattr(unwrapped(generator), 'takes_grid', False)


def guidance(
    generator: nn.Module,
    inputs: Tensor,
    samples: BaseDataElement | list | None,
    step: int | None = None,
) -> dict[str, BlockGrid]:
    """Return further arguments of a generator: ``grid``, if it takes one and the samples tell it.

    Args:
        generator: any network, wrapped or not.
        inputs: (N, T, 3, H, W).
        samples: of the batch, with ``mosaic_mask``, ``mosaic_block`` and ``mosaic_origin``; a list,
            or stacked.
        step: number of the training step, in which the network's share of grids is hidden; None:
            not in training.
    """
    net: Any = unwrapped(generator)
    if not takes_grid(net) or not samples:
        return {}
    batch: Any = stack_samples(samples) if isinstance(samples, (list, tuple)) else samples
    mask, blocks = batch.get('mosaic_mask'), batch.get('mosaic_block')
    if mask is None or blocks is None:
        return {}
    if step is not None:
        keys = batch.get('key') or [''] * len(blocks)
        blocks = [
            None if keyed_rng('hint', key, step).random() < net.hint_drop else block
            for key, block in zip(keys, blocks, strict=True)
        ]
    # What the preprocessor added to the frames is no mosaic.
    height, width = inputs.shape[-2:]
    mask = F.pad(mask, (0, width - mask.shape[-1], 0, height - mask.shape[-2]))
    return dict(grid=BlockGrid(mask.to(inputs.device), blocks, batch.get('mosaic_origin')))
