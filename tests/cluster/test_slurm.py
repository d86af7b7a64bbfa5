"""slurm-train.sbatch on a real SLURM: what stops it, and what starts it again."""

import json
import time

import pytest
from harness import final_state, newest, same, write_config

from tests.cluster.conftest import NODES, wait_until

SCRIPT = 'scripts/training/slurm-train.sbatch'
RESOURCES = ['--gpus-per-node=0', '--cpus-per-task=1', '--time=15']
ITERS = 800


def configure(work_dir, clips, workers):
    rare = (
        "\ndefault_hooks['checkpoint']['interval'] = 100000\ntrain_cfg['val_interval'] = 100000\n"
    )
    return write_config(work_dir, clips, rare, workers=workers, iters=ITERS)


@pytest.fixture
def submit(slurm, repo_root, clips, tmp_path):
    jobs = []

    def submit(workers=0, **options):
        if 'CONFIG' not in options:
            options['CONFIG'] = configure(tmp_path / 'run', clips, workers)
        options = {'NPROC': 1, **options}
        jobs.append(slurm.submit(repo_root / SCRIPT, options=RESOURCES, **options))
        return jobs[-1]

    yield submit
    for job in jobs:
        slurm.run('scancel', job.number)
        wait_until(
            lambda job=job: job['JobState'] in ('CANCELLED', 'COMPLETED', 'FAILED'), 60, lambda: ''
        )


@pytest.fixture(scope='module')
def undisturbed(tmp_path_factory, clips, server):
    folder = tmp_path_factory.mktemp('undisturbed')
    runs = server.start_group(2, configure(folder / 'run', clips, 0))
    assert [run.wait() for run in runs] == [0, 0], runs[0].output
    return final_state(folder / 'run')


def state_of(folder):
    return json.loads((folder / 'run_state.json').read_text())['state']


def time_limit(job, slurm):
    """As ``--signal=B:USR1@120`` has it, ahead of the limit."""
    slurm.run('scancel', '--batch', '--signal=USR1', job.number)


def preempted(job, slurm):
    """A job of a partition with more priority wants the machines, and SLURM gives a minute: it
    tells the steps' processes, all of them, and not the script.
    """
    urgent = slurm.folder / 'urgent.sh'
    urgent.write_text('#!/bin/sh\nsleep 1\n')
    wanted = '--partition=urgent', '--nodes=2', '--exclusive', '--output=/dev/null'
    slurm.run('sbatch', *wanted, urgent)


@pytest.mark.parametrize(('stop', 'workers'), [(time_limit, 0), (preempted, 4)])
def test_stopped_saved_queued_again_and_continued(
    submit, slurm, tmp_path, undisturbed, stop, workers
):
    job = submit(workers, cwd=tmp_path)
    job.wait_for('Iter(train) [  3')
    stop(job, slurm)
    job.go_on()
    assert 'Stopping after iteration' in job.log
    stopped = newest(tmp_path / 'run')
    assert 3 <= stopped < ITERS
    job.wait_for_state('COMPLETED')
    assert f'training continues from iteration {stopped}' in job.log
    assert state_of(tmp_path / 'run') == 'finished'
    end = final_state(tmp_path / 'run')
    for part in ('weights', 'optimizer', 'schedulers', 'history'):
        assert same(end[part], undisturbed[part]), part


def test_cancelled_by_its_user(submit, slurm, tmp_path):
    """Without NPROC, on a cluster that counts no GPUs."""
    job = submit(NPROC='')
    job.wait_for('Iter(train) [  3')
    slurm.run('scancel', job.number)
    assert job.wait_for_end() == 'CANCELLED'
    time.sleep(3)
    assert job['JobState'] == 'CANCELLED' and job['Restarts'] == '0'
    assert 'queued again' not in job.log


def test_a_mistake_ends_before_anything_starts(submit, slurm, tmp_path):
    job = submit(CONFIG='nowhere.py')
    assert job.wait_for_end() == 'FAILED', job.log
    assert job['ExitCode'] == '1:0' and job['Restarts'] == '0'
    [line] = [line for line in job.log.splitlines() if 'error' in line]
    assert line.startswith('error: ') and 'nowhere.py' in line


def test_a_machine_without_the_data(submit, slurm, clips, tmp_path):
    (tmp_path / NODES[0]).symlink_to(clips[0].parent)
    config = configure(tmp_path / 'run', clips, 0)
    config.write_text(
        config.read_text() + "\ntrain_dataloader['dataset']['metadata_root_dir'] ="
        f" '{tmp_path}/{{{{$SLURMD_NODENAME:none}}}}/crop_unscaled_meta'\n"
    )
    job = submit(CONFIG=config)
    assert job.wait_for_end() == 'FAILED', job.log
    assert job['Restarts'] == '0'
    # srun numbers the machines, and names them itself.
    [line] = [line for line in job.log.splitlines() if line.startswith('1: error: ')]
    assert NODES[1] in line
    assert 'Running' not in job.log
