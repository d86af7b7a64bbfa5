"""Weight files in the safetensors format: a length, a JSON header, and the tensors' bytes.

Source: the format's description at https://github.com/huggingface/safetensors#format. Nothing in
such a file can run.
"""

import json
from collections.abc import Mapping
from math import prod
from pathlib import Path

import torch

from lada.errors import LadaError

SUFFIX = '.safetensors'
_LONGEST_HEADER = 100_000_000
_TYPES = {
    'F64': torch.float64,
    'F32': torch.float32,
    'F16': torch.float16,
    'BF16': torch.bfloat16,
    'F8_E4M3': torch.float8_e4m3fn,
    'F8_E5M2': torch.float8_e5m2,
    'I64': torch.int64,
    'I32': torch.int32,
    'I16': torch.int16,
    'I8': torch.int8,
    'U8': torch.uint8,
    'BOOL': torch.bool,
}
_NAMES = {kind: name for name, kind in _TYPES.items()}


def read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a file by their names, on the CPU.

    Raises :class:`LadaError` for a file that is cut short, damaged, or of another format.
    """
    data = bytearray(path.read_bytes())
    try:
        length = int.from_bytes(data[:8], 'little')
        if len(data) < 8 or not 2 <= length <= min(len(data) - 8, _LONGEST_HEADER):
            raise ValueError('its header is missing')
        header = json.loads(data[8 : 8 + length].decode())
        header.pop('__metadata__', None)
        tensors = {name: _tensor(data, 8 + length, entry) for name, entry in header.items()}
        if sum(tensor.nbytes for tensor in tensors.values()) != len(data) - 8 - length:
            raise ValueError('it has more or fewer bytes than its header says')
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise LadaError(
            f'damaged weight file: {path} ({error}); copy or download it again'
        ) from error
    return tensors


def _tensor(data: bytearray, start: int, entry: Mapping) -> torch.Tensor:
    kind, shape = _TYPES[entry['dtype']], [int(side) for side in entry['shape']]
    first, last = (int(offset) for offset in entry['data_offsets'])
    size = prod(shape) * kind.itemsize
    if min(shape, default=0) < 0 or not 0 <= first <= last <= len(data) - start:
        raise ValueError('it is cut short')
    if last - first != size:
        raise ValueError(f'{last - first} bytes for a shape of {shape}')
    if not size:
        return torch.empty(shape, dtype=kind)
    # A view would have to lie at a multiple of its element's size.
    part = torch.frombuffer(data, dtype=torch.uint8, count=size, offset=start + first)
    return part.clone().view(kind).reshape(shape)


def safetensors_bytes(tensors: Mapping[str, torch.Tensor]) -> bytes:
    """Return a file's content: tensors in the order of their element sizes, then names, so that
    each is aligned.
    """
    header: dict[str, dict] = {'__metadata__': {'format': 'pt'}}
    parts, at = [], 0
    for name, tensor in sorted(tensors.items(), key=lambda item: (-item[1].itemsize, item[0])):
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        part = flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b''
        header[name] = {
            'dtype': _NAMES[tensor.dtype],
            'shape': list(tensor.shape),
            'data_offsets': [at, at + len(part)],
        }
        parts.append(part)
        at += len(part)
    text = json.dumps(header, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 8)
    return len(text).to_bytes(8, 'little') + text + b''.join(parts)
