"""How much memory a process has needed so far."""

import torch

from lada.platform_support import peak_memory


def peak_memory_mb() -> float:
    """Return the peak in MiB: of PyTorch's allocator where there is a GPU, else of the process."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    return peak_memory() / 2**20
