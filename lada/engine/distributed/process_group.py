"""Joining and leaving the process group, with any launcher, with and without a GPU.

A Runner leaves an initialised group alone. Joining before it is built lets all ranks agree on where
to start, and works without CUDA, where ``mmengine.dist.init_dist`` does not (it calls
``torch.cuda.set_device`` whatever the backend).
"""

import gc
import os
import socket
import subprocess
import time
import traceback
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from mmengine.dist import (
    all_gather_object,
    barrier,
    broadcast_object_list,
    get_rank,
    get_world_size,
)

from lada.errors import LadaError, with_causes

DEFAULT_TIMEOUT = 1800
"""Seconds a collective may wait."""

# Where each scheduler says rank, world size and local rank.
_SCHEDULER_VARIABLES = {
    'slurm': ('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_LOCALID'),
    'mpi': ('OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE', 'OMPI_COMM_WORLD_LOCAL_RANK'),
}


def default_backend() -> str:
    """Return ``nccl`` where CUDA is available, else ``gloo``."""
    return 'nccl' if torch.cuda.is_available() else 'gloo'


def check_launcher(launcher: str) -> None:
    """Raise :class:`LadaError` when the environment lacks what ``launcher`` promises."""
    names = (
        ('RANK', 'WORLD_SIZE', 'LOCAL_RANK')
        if launcher == 'pytorch'
        else _SCHEDULER_VARIABLES.get(launcher, ())
    )
    missing = [name for name in names if name not in os.environ]
    if missing:
        starter = {'pytorch': 'torchrun', 'slurm': 'srun', 'mpi': 'mpirun'}[launcher]
        raise LadaError(
            f'--launcher {launcher}: {", ".join(missing)} not set in the environment; '
            f'start the script with {starter}, or leave --launcher out for one process'
        )


@contextmanager
def process_group(launcher: str, backend: str, timeout: float = DEFAULT_TIMEOUT) -> Iterator[None]:
    """Be a member of the job's process group; with ``launcher='none'`` do nothing.

    The group is left also when an error passes through: a thread of a group that lives until the
    interpreter ends may abort the process, whose exit status would then be that of SIGABRT.
    """
    if launcher == 'none' or dist.is_initialized():
        yield
        return
    check_launcher(launcher)
    if launcher in _SCHEDULER_VARIABLES:
        _copy_scheduler_variables(launcher)
    if torch.cuda.is_available():
        # A scheduler may show each task its own GPU only.
        local_rank = int(os.environ['LOCAL_RANK']) % torch.cuda.device_count()
        os.environ['LOCAL_RANK'] = str(local_rank)
        torch.cuda.set_device(local_rank)
    try:
        _join(backend, timedelta(seconds=timeout))
    except (dist.DistError, ValueError) as error:
        raise LadaError(
            f'--launcher {launcher}: joining the other processes at'
            f' {os.environ.get("MASTER_ADDR")}:{os.environ.get("MASTER_PORT")} failed ({error})'
        ) from error
    try:
        yield
        # The store that the others' watchdogs use may live in this process.
        barrier()
    except BaseException as error:
        # The frames own the model, and the model the group.
        for cause in with_causes(error):
            traceback.clear_frames(cause.__traceback__)
        raise
    finally:
        gc.collect()
        dist.destroy_process_group()


def _join(backend: str, timeout: timedelta) -> None:
    if os.environ.get('GROUP_WORLD_SIZE') != '1' or 'TORCHELASTIC_RESTART_COUNT' not in os.environ:
        dist.init_process_group(backend, timeout=timeout)
        return
    # torchrun may keep one store over all restarts, in which addresses of ended processes would be
    # found. (Agents on several machines need not agree on the count of restarts.)
    store, rank, world_size = next(dist.rendezvous('env://', timeout=timeout))
    store.set_timeout(timeout)
    store = dist.PrefixStore(f'lada/start/{os.environ["TORCHELASTIC_RESTART_COUNT"]}', store)
    dist.init_process_group(backend, store=store, rank=rank, world_size=world_size, timeout=timeout)


def _copy_scheduler_variables(launcher: str) -> None:
    rank, world_size, local_rank = (os.environ[name] for name in _SCHEDULER_VARIABLES[launcher])
    os.environ.update(RANK=rank, WORLD_SIZE=world_size, LOCAL_RANK=local_rank)
    os.environ.setdefault('MASTER_PORT', '29500')
    if 'MASTER_ADDR' in os.environ:
        return
    if launcher == 'slurm' and int(world_size) > 1:
        os.environ['MASTER_ADDR'] = _first_slurm_host()
    elif (
        launcher == 'mpi' and os.environ.get('OMPI_COMM_WORLD_LOCAL_SIZE', world_size) != world_size
    ):
        raise LadaError(
            '--launcher mpi: the job runs on several machines and MASTER_ADDR is not set; name the'
            ' machine of rank 0, for example mpirun -x MASTER_ADDR=node1'
        )
    else:
        os.environ['MASTER_ADDR'] = '127.0.0.1'


def _first_slurm_host() -> str:
    nodes = os.environ.get('SLURM_JOB_NODELIST') or os.environ.get('SLURM_NODELIST', '')
    try:
        hosts = subprocess.run(
            ['scontrol', 'show', 'hostnames', nodes], capture_output=True, text=True, check=True
        )
        return hosts.stdout.split()[0]
    except (OSError, subprocess.CalledProcessError, IndexError) as error:
        raise LadaError(
            f'--launcher slurm: scontrol does not tell the hosts of {nodes!r} ({error}); set'
            ' MASTER_ADDR to the machine of rank 0'
        ) from error


def was_restarted() -> bool:
    """Return, on every rank alike, whether the elastic launcher has started this job's processes
    again.
    """
    # A machine that joins later counts from 0 again.
    return max(all_gather_object(int(os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)))) > 0


def decide_on_rank_0(decide: Callable[..., Any], *args) -> Any:
    """Let rank 0 decide and tell the others; its :class:`LadaError` is raised on every rank."""
    result: list = [None]
    if get_rank() == 0:
        try:
            result = [decide(*args)]
        except LadaError as error:
            result = [error]
        except OSError as error:
            result = [LadaError(str(error))]
    broadcast_object_list(result)
    if isinstance(result[0], LadaError):
        raise result[0]
    return result[0]


def check_shared_storage(folder: Path, patience: float = 20) -> None:
    """Raise :class:`LadaError` on every rank unless all see what rank 0 writes into ``folder``.

    Args:
        folder: made when missing.
        patience: seconds after which a rank gives up; network file systems show new files late.
    """
    if get_world_size() == 1:
        return
    token = decide_on_rank_0(_write_token, folder)
    end = time.monotonic() + patience
    while not (seen := (folder / token).exists()) and time.monotonic() < end:
        time.sleep(0.05)
    answers = all_gather_object((seen, get_rank(), socket.gethostname()))
    if get_rank() == 0:
        (folder / token).unlink(missing_ok=True)
    blind = [f'rank {rank} on {host}' for seen, rank, host in answers if not seen]
    if blind:
        raise LadaError(
            f'work directory {folder}: {", ".join(blind)} cannot see what rank 0 writes there;'
            ' choose a folder on storage that every machine shares (--work-dir)'
        )


def _write_token(folder: Path) -> str:
    token = f'.shared-{uuid.uuid4().hex}'
    folder.mkdir(parents=True, exist_ok=True)
    (folder / token).touch()
    return token
