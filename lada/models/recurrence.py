"""Second-order recurrences over the frames of a clip, with less memory where it is short.

Activations of a segment of frames can be computed again in the backward pass instead of being kept
(Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost"). Gradients are exact: the same
operations run again on the same values.
"""

import math
import os
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from lada.errors import LadaError

# The share of the free memory that activations may take before `auto` starts to save memory.
FREE_SHARE = 0.7

# visit(step, state after the step before, state after the one before that) -> state
Visit = Callable[[int, Tensor | None, Tensor | None], Tensor]


def recur(
    visit: Visit, steps: int, segment: int | None = None, home: torch.device | None = None
) -> list[Tensor]:
    """Return the states ``x[i] = visit(i, x[i - 1], x[i - 2])`` of all steps, from None, None on.

    Args:
        visit: computes one state.
        steps: how many there are.
        segment: after so many steps only the last two states are kept for the backward pass, which
            computes what lies between again; ``None`` keeps everything.
        home: where the returned states are kept; None: where they were computed.
    """

    def run(start: int, last: Tensor | None, before: Tensor | None):
        states = []
        for step in range(start, min(start + length, steps)):
            last, before = visit(step, last, before), last
            states.append(last.to(home))
        return states, last, before

    states, last, before = [], None, None
    length = segment or steps
    for start in range(0, steps, length):
        more, last, before = maybe_checkpoint(segment is not None, run, start, last, before)
        states += more
    return states


def maybe_checkpoint(enabled: bool, function: Callable[..., Any], *args) -> Any:
    """Call ``function(*args)``; ``enabled``: compute its activations again in the backward pass."""
    if enabled:
        return checkpoint(function, *args, use_reentrant=False, preserve_rng_state=False)
    return function(*args)


def check_segment(setting: int | str | None) -> int | str | None:
    """Return ``setting``; raise :class:`LadaError` unless it is None, 'auto' or frames >= 1."""
    whole = isinstance(setting, int) and not isinstance(setting, bool)
    if setting is None or setting == 'auto' or (whole and int(setting) >= 1):
        return setting
    raise LadaError(
        f"wrong checkpoint_segment: {setting!r}; give a number of frames >= 1, 'auto' or None"
    )


def choose_segment(
    setting: int | str | None, frames: int, frame_bytes: float, device: torch.device
) -> int | None:
    """Return the frames per segment, or None to keep all activations.

    Args:
        setting: what :func:`check_segment` accepts; ``auto`` keeps activations while they fit into
            :data:`FREE_SHARE` of the free memory, and else takes segments of about the square root
            of the clip's length.
        frames: the clip's length.
        frame_bytes: about how much the activations of one frame take.
        device: where they would be.
    """
    if not torch.is_grad_enabled() or setting is None:
        return None
    if isinstance(setting, int):
        return setting
    fits = frames * frame_bytes <= FREE_SHARE * free_memory(device)
    return None if fits else math.isqrt(frames - 1) + 1


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
