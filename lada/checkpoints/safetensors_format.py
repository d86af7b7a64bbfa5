"""Weight files in the safetensors format, in which nothing can run."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from lada.errors import LadaError

SUFFIX = '.safetensors'
ARCHITECTURE = 'lada.generator'
"""Key of the metadata: the config of the network that has these weights, as JSON."""


def read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a file by their names, on the CPU.

    Raises :class:`LadaError` for a file that is cut short, damaged, or of another format.
    """
    with _opened(path) as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def read_architecture(path: Path) -> dict | None:
    """Return the config that :func:`safetensors_bytes` stored; None where there is none."""
    with _opened(path) as file:
        text = (file.metadata() or {}).get(ARCHITECTURE)
        return None if text is None else dict(json.loads(text))


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with safe_open(path, 'pt') as file:
            yield file
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise LadaError(
            f'damaged weight file: {path} ({error}); copy or download it again'
        ) from error


def safetensors_bytes(
    tensors: Mapping[str, torch.Tensor], architecture: Mapping | None = None
) -> bytes:
    """Return a file's content.

    Args:
        tensors: by name.
        architecture: the network's config, of plain values; None says nothing.
    """
    metadata = {'format': 'pt'}
    if architecture is not None:
        metadata[ARCHITECTURE] = json.dumps(dict(architecture))
    # What the library stores must own its memory and lie row by row.
    rows = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    return save(rows, metadata)
