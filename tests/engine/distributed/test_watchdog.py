"""A rank that dies or stands still ends the job, and the message names it."""

import os
import signal
import time
from pathlib import Path

import pytest

SECONDS = [
    'default_hooks.watchdog.interval=0.2',
    'default_hooks.watchdog.dead_after=3',
    'default_hooks.watchdog.hung_after=6',
]


def wait_for(path, ranks, seconds=120):
    end = time.monotonic() + seconds
    while not path.exists():
        assert all(rank.lives() for rank in ranks) and time.monotonic() < end
        time.sleep(0.02)


def kill(rank):
    os.killpg(rank.pid, signal.SIGKILL)


def stop(rank):
    os.killpg(rank.pid, signal.SIGSTOP)


def stop_loading(rank):
    children = Path(f'/proc/{rank.pid}/task/{rank.pid}/children').read_text().split()
    assert children
    for child in children:
        os.kill(int(child), signal.SIGSTOP)


@pytest.mark.slow
@pytest.mark.parametrize(
    ('harm', 'victim', 'said'),
    [
        (kill, 1, 'has died or stands still; last action: '),
        (kill, 0, 'is out of reach'),
        (stop, 1, 'has died or stands still; last action: '),
        (stop, 0, 'is out of reach'),
        (stop_loading, 1, 'no rank has made progress for 6 s; behind the others: rank 1'),
    ],
)
def test_the_job_ends_and_the_rank_is_named(
    tmp_path, write_config, start_ranks, harm, victim, said
):
    ranks = start_ranks(
        write_config(tmp_path / 'run'),
        '--cfg-options',
        'train_cfg.max_iters=100000',
        'train_cfg.val_interval=100000',
        'train_dataloader.num_workers=1',
        'default_hooks.checkpoint.max_keep_ckpts=2',
        *SECONDS,
        MASTER_ADDR='127.0.0.1',
    )
    wait_for(tmp_path / 'run' / 'iter_2.pth', ranks)
    harm(ranks[victim])
    survivor = ranks[1 - victim]
    assert survivor.wait() == 3, survivor.errors
    line = next(line for line in survivor.errors.splitlines() if line.startswith('error: '))
    assert said in line
    if harm is not stop_loading:
        assert f'rank {victim} (' in line
    else:
        assert 'waiting for the batch of iteration' in line
        assert ranks[victim].wait() == 3
        assert 'dataloader.py' in ranks[victim].errors
