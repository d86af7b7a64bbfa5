"""Whether the batches that loader workers hand over fit into shared memory."""

import shutil
from pathlib import Path
from typing import Any

import torch

from lada.errors import LadaError

FOLDER = Path('/dev/shm')
ENOUGH = 2 * 2**30
"""Bytes of free shared memory with which no sample is loaded to look at its size."""


def check_shared_memory(
    name: str,
    dataset: Any,
    workers: int,
    batch_size: int,
    ahead: int,
    folder: Path = FOLDER,
    enough: int = ENOUGH,
) -> None:
    """Raise :class:`LadaError` if the batches that are prepared at the same time need more shared
    memory than is free: PyTorch's workers would wait for ever, or die.

    Args:
        name: what to call the loader.
        dataset: gives the sample whose size counts.
        workers, batch_size, ahead: of the loader; ``ahead``: batches a worker prepares.
        folder: where shared memory is; one that does not exist is not looked at.
        enough: free bytes with which nothing is looked at.
    """
    if not workers or not folder.is_dir() or shutil.disk_usage(folder).free >= enough:
        return
    try:
        sample = tensor_bytes(dataset[0])
    except (LadaError, OSError):
        return  # that clip's fault is reported where clips are loaded
    free = shutil.disk_usage(folder).free
    needed = sample * batch_size * ahead * workers
    if needed > free:
        raise LadaError(
            f'{name} needs {needed / 2**20:.0f} MB of shared memory ({workers} workers with {ahead}'
            f' batches of {batch_size} clips each) and {folder} has {free / 2**20:.0f} MB; give a'
            f' container more (docker run --shm-size), use fewer frames, or its num_workers=0'
        )


def tensor_bytes(value: Any) -> int:
    """Return how many bytes the tensors of a sample take, nested in dictionaries, lists, or
    MMEngine's data elements.
    """
    if torch.is_tensor(value):
        return value.nbytes
    if isinstance(value, dict):
        return sum(map(tensor_bytes, value.values()))
    if isinstance(value, (list, tuple)):
        return sum(map(tensor_bytes, value))
    return sum(map(tensor_bytes, value.values())) if hasattr(value, 'metainfo_keys') else 0
