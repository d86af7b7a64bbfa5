"""How much memory a process has needed so far."""

import resource
import sys

import torch


def peak_memory_mb() -> float:
    """Return the peak in MiB: of PyTorch's allocator where there is a GPU, else of the process."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2 ** (20 if sys.platform == 'darwin' else 10)
