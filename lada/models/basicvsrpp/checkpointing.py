"""Trading time for memory: activations of parts of a recurrence are computed again in the backward
pass.

Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost". Gradients are exact: the same
operations run again on the same values.
"""

import math
import os
from collections.abc import Callable
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint

from lada.errors import LadaError

# The share of the free memory that activations may take before `auto` starts to save memory.
FREE_SHARE = 0.7


def check_segment(setting: int | str | None) -> int | str | None:
    """Return ``setting``; raise :class:`LadaError` unless it is None, 'auto' or a number of frames
    >= 1.
    """
    valid = (
        setting is None
        or setting == 'auto'
        or (isinstance(setting, int) and not isinstance(setting, bool) and setting >= 1)
    )
    if not valid:
        raise LadaError(
            f"wrong checkpoint_segment: {setting!r}; give a number of frames >= 1, 'auto' or None"
        )
    return setting


def choose_segment(
    setting: int | str | None, frames: int, frame_bytes: float, device: torch.device
) -> int | None:
    """Return the frames per segment, or None to keep all activations.

    ``auto`` keeps them while ``frames * frame_bytes`` fits into :data:`FREE_SHARE` of the free
    memory, and else takes segments of about the square root of the clip length.
    """
    if not torch.is_grad_enabled():
        return None
    if setting == 'auto':
        if frames * frame_bytes <= FREE_SHARE * free_memory(device):
            return None
        return math.isqrt(frames - 1) + 1
    return setting


def maybe_checkpoint(enabled: bool, function: Callable[..., Any], *args) -> Any:
    """Call ``function(*args)``, computing its activations again in the backward pass if
    ``enabled``.
    """
    if enabled:
        return checkpoint(function, *args, use_reentrant=False, preserve_rng_state=False)
    return function(*args)


def free_memory(device: torch.device) -> float:
    """Bytes free on ``device``: of the GPU with PyTorch's own cache, or of main memory (infinite if
    unknown).
    """
    if device.type == 'cuda':
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + cached
    try:
        with open('/proc/meminfo', encoding='ascii') as file:
            for line in file:
                if line.startswith('MemAvailable'):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf('SC_AVPHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
    except (AttributeError, OSError, ValueError):
        return math.inf
