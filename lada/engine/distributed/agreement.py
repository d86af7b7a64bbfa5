"""What must be the same on all machines of a job."""

import hashlib
import socket
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dist import all_gather_object, get_rank, get_world_size

import lada
from lada.errors import LadaError

# Data may lie elsewhere on each machine.
_SHARED_KEYS = ('model', 'optim_wrapper', 'param_scheduler', 'train_cfg', 'randomness')


def check_same_everywhere(config: Config) -> None:
    """Raise :class:`LadaError` on every rank unless all have the same Lada, PyTorch and config, as
    far as it says what is computed.
    """
    check_same(
        {
            **versions(),
            **{
                f"the config's {key!r}": _digest(repr(config.get(key)).encode())
                for key in _SHARED_KEYS
            },
            'batch size': str(config.train_dataloader.get('batch_size', 1)),
        }
    )


def versions() -> dict[str, str]:
    """Return what computes here, for :func:`check_same`."""
    return {
        'Lada': f'{lada.__version__}, code {_digest_of_code()}',
        'PyTorch': torch.__version__,
    }


def check_same(mine: dict[str, str]) -> None:
    """Raise :class:`LadaError` on every rank unless all have the same values.

    Args:
        mine: values by what they are called in the message.
    """
    if get_world_size() == 1:
        return
    (first, *_), *others = all_gather_object((mine, get_rank(), socket.gethostname()))
    for found, rank, host in others:
        name = next((name for name in mine if found[name] != first[name]), None)
        if name is not None:
            raise LadaError(
                f'rank {rank} on {host}: {name} differs from that of rank 0 ({found[name]};'
                f' rank 0: {first[name]}); give all machines the same'
            )


def _digest_of_code() -> str:
    folder = Path(lada.__file__).parent
    files = sorted(folder.rglob('*.py'))
    return _digest(b''.join(path.read_bytes() for path in files))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:8]
