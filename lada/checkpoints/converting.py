"""Making a safe file of a trusted checkpoint that holds more than tensors and plain values."""

import io
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from lada.checkpoints.reading import allowed_types
from lada.errors import LadaError
from lada.files import refuse_to_replace, write_atomically

_PLAIN = (torch.Tensor, str, bytes, bool, int, float, complex, type(None))


def unsafe_types(checkpoint: Path) -> list[str]:
    """Return the names of what loading the file would import or call besides the allowed types;
    runs none of it.
    """
    try:
        with safe_globals(allowed_types()):
            return sorted(get_unsafe_globals_in_checkpoint(checkpoint))
    except Exception as error:  # whatever the bytes make the ZIP and pickle readers do
        raise LadaError(
            f'{checkpoint} is no checkpoint of torch.save ({error}); copy or download it again'
        ) from error


def convert_trusted_checkpoint(
    checkpoint: Path, output: Path, overwrite: bool = False
) -> list[str]:
    """Unpickle a checkpoint, **running whatever code is inside it**, and write what of it is safe
    to load.

    Kept are tensors, plain values, and dictionaries, lists and tuples of them; mappings become
    dictionaries. Returns where something was left out, with its type. The output is checked: it
    loads with ``weights_only=True``.
    """
    refuse_to_replace([output], overwrite)
    try:
        content = torch.load(checkpoint, map_location='cpu', weights_only=False)
    except Exception as error:  # code that is not installed, damage, anything
        raise LadaError(
            f'{checkpoint} cannot be loaded ({type(error).__name__}: {error})'
        ) from error
    if not isinstance(content, Mapping):
        raise LadaError(f'{checkpoint} holds a {type(content).__name__}, not a dictionary')
    left_out: list[str] = []
    buffer = io.BytesIO()
    torch.save(_safe(content, '', left_out), buffer)
    buffer.seek(0)
    with safe_globals(allowed_types()):
        torch.load(buffer, weights_only=True)
    write_atomically(output, buffer.getvalue())
    return left_out


def _safe(value: Any, where: str, left_out: list[str]) -> Any:
    if isinstance(value, Mapping):
        items = {
            key: _safe(item, f'{where}.{key}'.lstrip('.'), left_out)
            for key, item in value.items()
            if type(key) in _PLAIN
        }
        kept = {key: item for key, item in items.items() if item is not _LEFT_OUT}
        return OrderedDict(kept) if isinstance(value, OrderedDict) else kept
    if isinstance(value, (list, tuple)):
        items = [_safe(item, f'{where}[{number}]', left_out) for number, item in enumerate(value)]
        kept = [item for item in items if item is not _LEFT_OUT]
        return tuple(kept) if isinstance(value, tuple) else kept
    if isinstance(value, torch.nn.Parameter):
        return value.detach()
    if type(value) in _PLAIN or type(value) in _ALLOWED:
        return value
    left_out.append(f'{where} ({type(value).__module__}.{type(value).__qualname__})')
    return _LEFT_OUT


_LEFT_OUT = object()
_ALLOWED = tuple(kind for kind in allowed_types() if isinstance(kind, type))
