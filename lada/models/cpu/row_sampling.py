"""Bilinear sampling on a CPU by gathering whole rows of channels.

Stored channels last, the channels of one pixel, or of one group of them, are a row of a table. A
sample is the weighted sum of four rows, which ``embedding_bag`` fetches and adds up at once, while
``grid_sample`` gathers each number alone: 1.0 ms and 2.9 ms for the 9·16·64·64 samples of 8
channels of a deformable convolution, two threads.
"""

from functools import lru_cache

import torch
from torch import Tensor


def padded(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Return ``x`` (N, C, H, W) as tables (N, H + 4, W + 2, C) of ``dtype`` with zeros around it.

    Pixel (0, 0) is at [1, 1]. Samples outside are moved onto the border; their lower and right
    neighbours exist, too.
    """
    n, c, h, w = x.shape
    tables = torch.zeros(n, h + 4, w + 2, c, dtype=dtype, device=x.device)
    tables[:, 1 : h + 1, 1 : w + 1] = x.permute(0, 2, 3, 1)
    return tables


def sample_rows(table: Tensor, places: Tensor, factor: Tensor | None = None) -> Tensor:
    """Sample one of the :func:`padded` tables; returns (P, G, K, C/G).

    ``places``: (P, 2, G, K), in the table's pixels horizontal and vertical, overwritten, for P
    positions, G groups of channels and K samples of each group. ``factor``: (P, G, K), what to
    multiply the samples by. Samples outside the image are zero.
    """
    height, width, channels = table.shape
    positions, _, groups, count = places.shape
    # NaN has no place; where offsets are NaN the factor is, too.
    x, y = places.nan_to_num_().unbind(1)
    x.clamp_(0, width - 1)
    y.clamp_(0, height - 3)
    left, upper = places.int().unbind(1)
    to_right, to_lower = places.frac_().unbind(1)
    first = torch.add(left, upper, alpha=width)
    first = torch.add(_group_numbers(groups, count, table.device), first, alpha=groups)
    below = first + width * groups
    rows = torch.stack((first, first + groups, below, below + groups), -1)
    low = to_lower if factor is None else factor * to_lower
    high = (1 if factor is None else factor) - low
    low_right, high_right = low * to_right, high * to_right
    weights = torch.stack((high - high_right, high_right, low - low_right, low_right), -1)
    samples = torch.embedding_bag(
        table.view(-1, channels // groups),
        rows.view(-1),
        _starts(first.numel(), table.device),
        per_sample_weights=weights.view(-1),
    )[0]
    return samples.view(positions, groups, count, -1)


@lru_cache(maxsize=16)
def _group_numbers(groups: int, count: int, device: torch.device) -> Tensor:
    with torch.inference_mode(False):
        return torch.arange(groups, dtype=torch.int32, device=device)[:, None].repeat(1, count)


@lru_cache(maxsize=16)
def _starts(bags: int, device: torch.device) -> Tensor:
    with torch.inference_mode(False):
        return torch.arange(0, 4 * bags, 4, dtype=torch.int32, device=device)
