"""Joining the process group where MMEngine's own start needs a GPU.

``mmengine.dist.init_dist`` calls ``torch.cuda.set_device`` whatever the backend. A Runner leaves an initialised group
alone, so on machines without CUDA the gloo group is made here, before the Runner is built.
"""

import os
import subprocess
from datetime import timedelta

import torch
import torch.distributed as dist

from lada.errors import LadaError

LAUNCHERS = ('none', 'pytorch', 'slurm', 'mpi')

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
    names = ('RANK', 'WORLD_SIZE', 'LOCAL_RANK') if launcher == 'pytorch' else _SCHEDULER_VARIABLES.get(launcher, ())
    missing = [name for name in names if name not in os.environ]
    if missing:
        starter = {'pytorch': 'torchrun', 'slurm': 'srun', 'mpi': 'mpirun'}[launcher]
        raise LadaError(f'--launcher {launcher}: {", ".join(missing)} not set in the environment; '
                        f'start the script with {starter}, or leave --launcher out for one process')


def init_cpu_process_group(launcher: str, timeout: float = 1800) -> None:
    """Join a gloo group when there is no CUDA; with CUDA (or ``launcher='none'``) do nothing.

    Args:
        launcher: one of :data:`LAUNCHERS`.
        timeout: seconds a collective may wait.
    """
    if launcher == 'none' or torch.cuda.is_available() or dist.is_initialized():
        return
    if launcher in _SCHEDULER_VARIABLES:
        _copy_scheduler_variables(launcher)
    dist.init_process_group('gloo', timeout=timedelta(seconds=timeout))


def _copy_scheduler_variables(launcher: str) -> None:
    rank, world_size, local_rank = (os.environ[name] for name in _SCHEDULER_VARIABLES[launcher])
    os.environ.update(RANK=rank, WORLD_SIZE=world_size, LOCAL_RANK=local_rank)
    os.environ.setdefault('MASTER_PORT', '29500')
    if 'MASTER_ADDR' in os.environ:
        return
    if launcher == 'slurm' and int(world_size) > 1:
        hosts = subprocess.run(['scontrol', 'show', 'hostnames', os.environ['SLURM_NODELIST']],
                               capture_output=True, text=True, check=True)
        os.environ['MASTER_ADDR'] = hosts.stdout.split()[0]
    else:
        os.environ['MASTER_ADDR'] = '127.0.0.1'
