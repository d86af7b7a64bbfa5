"""Reading weight files without running code that is inside them."""

import hashlib
import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlparse

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from numpy._core import multiarray as _multiarray

from lada.checkpoints.safetensors_format import SUFFIX, read_safetensors
from lada.errors import LadaError
from lada.text import one_line, reason


def load_weights_file(path_or_url: str | Path, map_location: str | torch.device = 'cpu') -> dict:
    """Return the dictionary stored in a checkpoint or weight file.

    ``path_or_url`` is a local path or an ``http(s)://`` address; the latter is downloaded once into
    the cache of ``torch.hub``. A name that ends in ``.safetensors`` says what it is; of others only
    tensors, plain containers and the few types of :func:`allowed_types` are read
    (``torch.load(weights_only=True)``). Either way a file from a stranger cannot run code. Raises
    :class:`LadaError` for a file that is missing, damaged, no dictionary, or that holds another
    type.
    """
    path = _download(str(path_or_url)) if _is_url(path_or_url) else Path(path_or_url)
    if not path.is_file():
        raise LadaError(
            f'weight file not found: {path}; check the path, or remove the setting to start'
            ' without it'
        )
    if path.suffix.lower() == SUFFIX:
        tensors = read_safetensors(path)
        return {name: tensor.to(map_location) for name, tensor in tensors.items()}
    try:
        with torch.serialization.safe_globals(allowed_types()):
            content = torch.load(path, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        raise LadaError(_refusal(path, error)) from error
    except (
        RuntimeError,
        EOFError,
        zipfile.BadZipFile,
        ValueError,
        KeyError,
        AssertionError,
    ) as error:
        raise LadaError(
            f'damaged weight file: {path} ({reason(error)}); copy or download it again'
        ) from error
    if not isinstance(content, dict):
        raise LadaError(
            f'not a weight file: {path} holds a {type(content).__name__}, not a dictionary of'
            ' weights; name a checkpoint or state dict'
        )
    return content


def load_state_dict_file(path_or_url: str | Path, map_location: str | torch.device = 'cpu') -> dict:
    """Return the state dict of a file that holds either a plain state dict or ``{'state_dict':
    ...}``.
    """
    content = load_weights_file(path_or_url, map_location)
    state = content.get('state_dict', content)
    if not isinstance(state, dict) or not all(torch.is_tensor(value) for value in state.values()):
        raise LadaError(f'no state dict in: {path_or_url}; name a checkpoint or state dict')
    return state


def load_training_checkpoint(path: Path) -> dict:
    """Load a checkpoint to resume from, on the CPU. Raises :class:`LadaError` for a damaged one or
    bare weights.
    """
    if not Path(path).is_file():
        raise LadaError(f'no checkpoint at {path}; give the path of an iter_<n>.pth file')
    damage = damage_of(Path(path))
    if damage:
        raise LadaError(f'checkpoint {path} is damaged ({damage}); resume from an earlier one')
    checkpoint = load_weights_file(str(path))
    missing = [key for key in ('meta', 'state_dict', 'message_hub') if key not in checkpoint]
    if missing:
        raise LadaError(
            f'checkpoint {path} has no {", ".join(missing)}, so it cannot be resumed from; '
            'start from its weights with --load-from'
        )
    return checkpoint


def damage_of(path: Path) -> str | None:
    """Return what is wrong with a checkpoint file, or ``None`` when it is sound.

    ``torch.save`` writes a ZIP archive with a CRC-32 for every record, which ``torch.load`` does
    not verify; this does, so a cut file and a flipped bit are both found.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
            return f'record {broken} is damaged' if broken else None
    except Exception as error:  # damaged headers raise errors of zipfile, zlib, struct and others
        return one_line(error)


def allowed_types() -> list:
    """Types other than tensors and plain containers that a training checkpoint of MMEngine
    holds.
    """
    types: list = [HistoryBuffer, np.ndarray, np.dtype, np.int64, np.float64]
    types += [getattr(_multiarray, name) for name in ('_reconstruct', 'scalar')]
    types += [
        type(np.dtype(kind))
        for kind in (
            np.float16,
            np.float32,
            np.float64,
            np.int8,
            np.int16,
            np.int32,
            np.int64,
            np.uint8,
            np.uint16,
            np.uint32,
            np.uint64,
            np.bool_,
        )
    ]
    # Files written under NumPy 1 name the same functions by their former module.
    types += [
        (getattr(_multiarray, name), f'numpy.core.multiarray.{name}')
        for name in ('_reconstruct', 'scalar')
    ]
    # HistoryBuffer pickles its statistics functions through getattr; only that use of it is let
    # through.
    types += [(_history_method, f'{module}.getattr') for module in ('builtins', '__builtin__')]
    return types


def _history_method(owner: object, name: str) -> Callable:
    if owner is not HistoryBuffer or name not in ('min', 'max', 'mean', 'current'):
        raise pickle.UnpicklingError(
            f'GLOBAL builtins.getattr was not an allowed global (for {name})'
        )
    return getattr(HistoryBuffer, name)


def _is_url(path_or_url: str | Path) -> bool:
    return isinstance(path_or_url, str) and urlparse(path_or_url).scheme in ('http', 'https')


def downloaded_file(url: str) -> Path:
    """Return where the file of an address is kept once it has been downloaded."""
    # The address is part of the name: two sites may serve different files under one name.
    name = f'{hashlib.sha256(url.encode()).hexdigest()[:8]}-{Path(urlparse(url).path).name}'
    return Path(torch.hub.get_dir()) / 'checkpoints' / name


def _download(url: str) -> Path:
    target = downloaded_file(url)
    if target.is_file():
        return target
    published = re.search(r'-([0-9a-f]{8,64})\.', Path(urlparse(url).path).name)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(
            url, str(target), hash_prefix=published.group(1) if published else None, progress=False
        )
    except (URLError, OSError, RuntimeError) as error:
        raise LadaError(
            f'cannot download weights: {url} ({reason(error)}); check the network, or download'
            ' the file elsewhere and give its path'
        ) from error
    return target


def _refusal(path: Path, error: Exception) -> str:
    text = str(error)
    found = re.search(
        r'GLOBAL (\S+) (?:was not an allowed global|whose module \S+ is blocked)', text
    )
    if found:
        return (
            f'weight file refused: {path} holds {found.group(1)}, which is not a tensor or plain'
            ' value; if you trust its maker, scripts/training/convert-trusted-checkpoint.py keeps'
            ' what is safe'
        )
    return f'damaged weight file: {path} (its index cannot be read); copy or download it again'
