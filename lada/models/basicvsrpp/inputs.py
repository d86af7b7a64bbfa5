"""What a clip must look like before a network sees it."""

import torch
from torch import Tensor

from lada.errors import LadaError

MIN_FLOW_SIZE = 64


def check_clip(clip: Tensor, *, downsampled: bool, device: torch.device) -> None:
    """Raise :class:`LadaError` unless ``clip`` is a float (N, T, 3, H, W) on ``device`` and large
    enough.

    The flow network needs 64×64 pixels. ``downsampled``: it works at a quarter of the size, so that
    the sides must be multiples of 4 and at least 256.
    """
    shape = tuple(clip.shape)
    if clip.dim() != 5 or clip.shape[2] != 3 or 0 in shape:
        raise LadaError(
            f'wrong input shape: {shape}; a batch of clips must be (N, T, 3, H, W), none of them 0'
        )
    if not clip.is_floating_point():
        raise LadaError(
            f'wrong input type: {clip.dtype} of shape {shape}; frames must be floating point in [0,'
            ' 1] (the data preprocessor converts uint8)'
        )
    if clip.device != device:
        raise LadaError(
            f'mixed devices: input of shape {shape} on {clip.device}, weights on {device}; '
            'move both to one device'
        )
    height, width = shape[3:]
    factor = 4 if downsampled else 1
    if height % factor or width % factor:
        raise LadaError(
            f'wrong input size: {height}x{width} (shape {shape}); height and width must be'
            ' divisible by 4; pad or crop the frames'
        )
    smallest = MIN_FLOW_SIZE * factor
    if height < smallest or width < smallest:
        raise LadaError(
            f'input too small: {height}x{width} (shape {shape}); height and width must be at least '
            f'{smallest}, because the flow network needs 64x64; use larger frames'
        )
