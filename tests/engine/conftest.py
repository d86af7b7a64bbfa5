"""Ranks started one by one, as schedulers do, and what is below a process."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path

import pytest
from harness import free_port

SCRIPT = 'scripts/training/train-mosaic-restoration-basicvsrpp.py'
VARIABLES = {
    'pytorch': ('RANK', 'WORLD_SIZE', 'LOCAL_RANK'),
    'slurm': ('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_LOCALID'),
    'mpi': ('OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE', 'OMPI_COMM_WORLD_LOCAL_RANK'),
}


def descendants(pid: int) -> list[int]:
    """All processes below one; torchrun gives each of its workers a session of its own."""
    try:
        children = [
            int(child) for child in Path(f'/proc/{pid}/task/{pid}/children').read_text().split()
        ]
    except FileNotFoundError:
        return []
    return children + [found for child in children for found in descendants(child)]


def kill_all(process: subprocess.Popen) -> None:
    """End a process and all below it at once, as the loss of a machine does."""
    for pid in [process.pid, *descendants(process.pid)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def start_process(repo_root):
    """Return a function that starts a command; what is left of it at the end is killed."""
    processes = []

    def start(command, **environment) -> subprocess.Popen:
        processes.append(
            subprocess.Popen(
                list(map(str, command)),
                cwd=repo_root,
                env={**os.environ, 'OMP_NUM_THREADS': '1', **environment},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        )
        return processes[-1]

    yield start
    for process in processes:
        kill_all(process)
        with contextlib.suppress(ProcessLookupError):  # a stopped loader worker may be left of it
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.fixture
def start_ranks(server):
    """Return a function that starts two ranks of the training script without an agent that would
    watch them.
    """
    started = []

    def start(*args, launcher: str = 'pytorch', each=lambda rank: (), **environment) -> list:
        rank_name, size_name, local_name = VARIABLES[launcher]
        port = str(free_port())
        ranks = [
            server.start(
                *args,
                *each(rank),
                '--launcher',
                launcher,
                apart=True,
                **{
                    rank_name: str(rank),
                    size_name: '2',
                    local_name: str(rank),
                    'MASTER_PORT': port,
                    **environment,
                },
            )
            for rank in range(2)
        ]
        started.extend(ranks)
        return ranks

    yield start
    for rank in started:
        rank.signal(signal.SIGKILL)
        rank.wait()
