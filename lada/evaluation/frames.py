"""Pictures as the metrics and reports take them: uint8 RGB arrays (T, H, W, 3)."""

import numpy as np
import torch

from lada.errors import LadaError


def to_frames(value: torch.Tensor | np.ndarray, input_order: str | None = None) -> np.ndarray:
    """Return one picture or a clip as uint8 (T, H, W, 3), rounded to nearest and clipped.

    Args:
        value: in [0, 255], of three or four dimensions.
        input_order: ``CHW`` or ``HWC``; left out, a tensor is taken as CHW and an array as HWC.

    Raises :class:`LadaError` for other shapes.
    """
    order = input_order or ('CHW' if isinstance(value, torch.Tensor) else 'HWC')
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        value = value.float().numpy() if value.is_floating_point() else value.numpy()
    if value.ndim == 3:
        value = value[None]
    if value.ndim != 4:
        raise LadaError(
            f'pictures of shape {value.shape}: expected (T, C, H, W) or (C, H, W); check the'
            ' pipeline'
        )
    if order == 'CHW':
        value = value.transpose(0, 2, 3, 1)
    if value.dtype != np.uint8:
        value = np.clip(np.rint(value), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(value)


def to_masks(value: torch.Tensor | np.ndarray) -> np.ndarray:
    """Return a mask (T, H, W), (T, 1, H, W) or (H, W) as bool (T, H, W)."""
    mask = value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
    mask = mask != 0
    if mask.ndim == 4 and mask.shape[1] == 1:
        mask = mask[:, 0]
    return mask[None] if mask.ndim == 2 else mask


def field(sample: dict, key: str) -> torch.Tensor | np.ndarray:
    """Return a data field of a predicted sample, also where MMagic's models and loops put it:
    predictions under ``output``, the loaded sample under ``data_samples``.
    """
    for place in (sample, sample.get('output') or {}, sample.get('data_samples') or {}):
        if key in place:
            return place[key]
    raise LadaError(
        f"no {key!r} in a predicted sample with {', '.join(sorted(sample))}; check the metric's"
        ' keys and the pipeline'
    )
