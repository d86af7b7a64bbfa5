"""Joining by what each launcher puts into the environment, storage that is not shared, and a
machine that is lost.
"""

import sys
import time

import pytest
import torch
from harness import free_port, meeting

from lada.engine.distributed.process_group import process_group
from lada.errors import LadaError
from tests.engine.conftest import SCRIPT, kill_all

pytestmark = pytest.mark.slow


@pytest.mark.parametrize('launcher', ['slurm', 'mpi'])
def test_schedulers(tmp_path, write_config, start_ranks, launcher):
    # SLURM is asked for the first of the job's machines.
    scontrol = tmp_path / 'scontrol'
    scontrol.write_text(
        '#!/bin/sh\n[ "$*" = "show hostnames node[1-2]" ] && echo 127.0.0.1 && echo node2\n'
    )
    scontrol.chmod(0o755)
    ranks = start_ranks(
        write_config(tmp_path / 'run'),
        '--cfg-options',
        'train_cfg.max_iters=1',
        'train_cfg.val_interval=9',
        launcher=launcher,
        SLURM_JOB_NODELIST='node[1-2]',
        PATH=f'{tmp_path}:/usr/bin:/bin',
    )
    assert [rank.wait() for rank in ranks] == [0, 0], [rank.errors for rank in ranks]
    assert sum(rank.errors.count('next: ') for rank in ranks) == 1
    log = next((tmp_path / 'run').glob('*/*.log')).read_text()
    assert 'Number of processes: 2' in log and 'GPU number' not in log
    assert (
        torch.load(tmp_path / 'run' / 'iter_1.pth', weights_only=False)['message_hub'][
            'runtime_info'
        ]['samples_consumed']
        == 2
    )


@pytest.mark.parametrize(
    ('launcher', 'environment', 'said'),
    [
        (
            'slurm',
            dict(SLURM_PROCID='0', SLURM_NTASKS='2', SLURM_LOCALID='0', PATH='/nowhere'),
            'set MASTER_ADDR',
        ),
        ('slurm', dict(SLURM_PROCID='0'), 'SLURM_NTASKS, SLURM_LOCALID not set'),
        (
            'mpi',
            dict(
                OMPI_COMM_WORLD_RANK='0',
                OMPI_COMM_WORLD_SIZE='4',
                OMPI_COMM_WORLD_LOCAL_RANK='0',
                OMPI_COMM_WORLD_LOCAL_SIZE='2',
            ),
            'MASTER_ADDR is not set',
        ),
    ],
)
def test_what_a_scheduler_does_not_say(monkeypatch, launcher, environment, said):
    for name in ('MASTER_ADDR', 'MASTER_PORT', 'RANK', 'WORLD_SIZE', 'LOCAL_RANK'):
        monkeypatch.setenv(name, '')  # so that what the code sets is taken back
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(LadaError, match=said), process_group(launcher, 'gloo'):
        pass


def test_storage_that_is_not_shared(tmp_path, write_config, start_ranks):
    ranks = start_ranks(
        write_config(tmp_path / 'run'),
        each=lambda rank: ('--work-dir', tmp_path / f'disk{rank}'),
        MASTER_ADDR='127.0.0.1',
    )
    for rank in ranks:
        assert rank.wait() == 1
        last = rank.errors.strip().splitlines()[-1]
        assert (
            last.startswith('error: work directory')
            and 'rank 1 on' in last
            and 'rank 0 on' not in last
        )
        assert 'Traceback' not in rank.errors
    assert not [path for folder in tmp_path.glob('disk*') for path in folder.iterdir()]


def test_another_config_on_one_machine(tmp_path, write_config, start_ranks):
    ranks = start_ranks(
        write_config(tmp_path / 'run'),
        each=lambda rank: ('--cfg-options', f'model.train_cfg.fix_iter={rank}'),
        MASTER_ADDR='127.0.0.1',
    )
    for rank in ranks:
        assert rank.wait() == 1
        last = rank.errors.strip().splitlines()[-1]
        assert last.startswith('error: rank 1 on ') and "config's 'model' differs" in last
    assert not (tmp_path / 'run').exists()


def test_an_elastic_job_survives_the_loss_of_a_machine(tmp_path, write_config, start_process):
    """Two agents on this machine, each with a rank; one is killed with all that is its own."""
    run = tmp_path / 'run'
    config = write_config(run)
    # A resumed job must not start over although it was told to start afresh.
    script = [
        SCRIPT,
        config,
        '--launcher',
        'pytorch',
        '--no-resume',
        '--cfg-options',
        'train_cfg.max_iters=30',
        'train_cfg.val_interval=1000',
        'default_hooks.watchdog.interval=0.5',
    ]
    settings = 'last_call_timeout=5,keep_alive_interval=1,keep_alive_max_attempt=3'
    agent = [sys.executable, '-m', 'torch.distributed.run', *meeting(free_port(), settings)]
    # The first agent keeps the meeting point; without it there is none to meet at.
    staying = start_process([*agent, *script])
    time.sleep(1)
    leaving = start_process([*agent, *script])
    end = time.monotonic() + 120
    while not (run / 'iter_4.pth').exists():
        assert staying.poll() is None and leaving.poll() is None and time.monotonic() < end
        time.sleep(0.05)
    kill_all(leaving)
    out, err = staying.communicate(timeout=300)
    assert staying.returncode == 0, err
    assert 'Resuming' in out + err
    last = torch.load(run / 'iter_30.pth', weights_only=False)['message_hub']['runtime_info']
    started = next(
        int(line.split('iteration ')[1].split(',')[0])
        for line in (out + err).splitlines()
        if 'Resuming' in line and 'continues from iteration' in line
    )
    assert started >= 4
    assert last['samples_consumed'] == 2 * started + (30 - started)
    assert not list(run.glob('previous_*'))
