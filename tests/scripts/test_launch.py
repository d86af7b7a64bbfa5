"""The launch scripts with two real processes: to the end, killed, interrupted, and their early
failures.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.engine.conftest import descendants, kill_all

SCRIPTS = ['run_multi_gpu_training.sh', 'run_multi_gpu_training_torchrun.sh']
pytestmark = pytest.mark.slow


def alive(pid):
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except FileNotFoundError:
        return False


def wait_until(condition, process=None, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture
def start(repo_root):
    processes = []

    def run(script, *args, **environment):
        processes.append(
            subprocess.Popen(
                [repo_root / script, *map(str, args)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, 'OMP_NUM_THREADS': '1', **environment},
                start_new_session=True,
            )
        )
        return processes[-1]

    yield run
    for process in processes:
        kill_all(process)
        process.communicate()


@pytest.fixture
def launch(start):
    def run(*args, **environment):
        process = start(*args, **environment)
        out, err = process.communicate(timeout=300)
        return process.returncode, out, err

    return run


def weights(work_dir, step=8):
    return torch.load(work_dir / f'iter_{step}.pth', weights_only=False)['state_dict']


def assert_speed_is_logged(run, log):
    names = {'throughput/clips_per_s', 'throughput/data_wait_percent', 'throughput/slowest_rank'}
    of_ranks = {
        f'throughput/rank_{rank}/{name}'
        for rank in (0, 1)
        for name in ('data_s', 'step_s', 'memory_mb')
    }
    assert all(name in log for name in names)
    records = [
        json.loads(line)
        for line in next(run.glob('*/vis_data/scalars.json')).read_text().splitlines()
    ]
    assert names | of_ranks <= {name for record in records for name in record}
    events = EventAccumulator(str(run / 'tensorboard'))
    events.Reload()
    tags = {tag.removeprefix('training/') for tag in events.Tags()['scalars']}
    assert names | of_ranks <= tags


def test_to_the_end_killed_and_resumed(tmp_path, write_config, start, launch):
    with socket.socket() as taken:
        with contextlib.suppress(OSError):  # somebody else may have taken it
            taken.bind(('', 29500))
            taken.listen()
        status, out, err = launch(SCRIPTS[0], CONFIG=str(write_config(tmp_path / 'whole')))
    assert status == 0, err
    assert 'Port 29500 is in use: taking ' in out
    assert 'Running:' in out and '--launcher pytorch' in out
    log = next((tmp_path / 'whole').glob('*/*.log')).read_text()
    assert 'Distributed training: True' in log and 'Number of processes: 2' in log
    expected = weights(tmp_path / 'whole')
    assert_speed_is_logged(tmp_path / 'whole', log)

    run = tmp_path / 'killed'
    config = str(write_config(run))
    process = start(SCRIPTS[1], CONFIG=config)
    wait_until((run / 'iter_4.pth').exists, process)
    kill_all(process)
    process.communicate()
    assert not (run / 'iter_8.pth').exists()
    status, out, err = launch(SCRIPTS[1], CONFIG=config)
    assert status == 0, err
    assert 'resumes ' in out
    found = weights(run)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGKILL])
def test_no_process_is_left(tmp_path, write_config, start, number):
    """Ctrl-C saves and ends; workers whose launcher was killed end by themselves."""
    process = start(
        SCRIPTS[1],
        '--cfg-options',
        'train_cfg.max_iters=100000',
        'train_cfg.val_interval=100000',
        'default_hooks.checkpoint.max_keep_ckpts=2',
        CONFIG=str(write_config(tmp_path / 'run')),
    )
    wait_until((tmp_path / 'run' / 'iter_2.pth').exists, process)
    below = descendants(process.pid)
    assert len(below) >= 2
    os.killpg(process.pid, number)
    out, err = process.communicate(timeout=100)
    wait_until(lambda: not any(alive(pid) for pid in below), seconds=60)
    if number == signal.SIGINT:
        assert 'Stopping after iteration' in out + err
    else:
        assert 'out of reach' in out + err


@pytest.mark.parametrize(
    ('environment', 'said'),
    [
        ({'CONFIG': 'nowhere.py'}, 'no config at nowhere.py'),
        ({'NPROC': 'two'}, 'NPROC=two'),
        ({'CUDA_VISIBLE_DEVICES': '0,1,2'}, 'PyTorch sees no GPU'),
        ({'LADA_DATA_ROOT': 'nowhere'}, 'nowhere'),
        ({'MASTER_PORT': 'http'}, 'MASTER_PORT=http'),
        ({'NNODES': '2', 'NODE_RANK': '2'}, 'NODE_RANK=2'),
        ({'NNODES': '2:1'}, 'NNODES=2:1'),
    ],
)
def test_early_failures_are_one_line(launch, environment, said):
    environment = {'CONFIG': 'configs/basicvsrpp/mosaic_restoration_demo_cpu.py', **environment}
    status, out, err = launch(SCRIPTS[1], **environment)
    assert status == 1
    assert said in err.strip().splitlines()[-1]
    assert 'Traceback' not in err
    assert 'Running:' not in out


@pytest.mark.parametrize('script', SCRIPTS)
def test_late_failures_keep_their_status_and_end_without_a_traceback(
    tmp_path, write_config, launch, script
):
    config = write_config(tmp_path / 'run', "model['type'] = 'Nothing'")
    # As if the mistake showed in training only.
    status, _, err = launch(script, CONFIG=str(config), LADA_CHECKED='1')
    assert status == 1
    assert 'Nothing' in err and 'Traceback' not in err
    assert re.fullmatch(
        r'error: rank \d ended with status 1; what it said is above', err.splitlines()[-1]
    )


def test_no_environment(tmp_path, repo_root):
    """A fresh copy of the project whose packages are not installed."""
    for name in [SCRIPTS[0], 'scripts/training/launch-common.sh']:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(repo_root / name, tmp_path / name)
    bare = tmp_path / 'python3'
    bare.write_text('#!/bin/sh\nexit 1\n')
    bare.chmod(0o755)
    failed = subprocess.run(
        [tmp_path / SCRIPTS[0]],
        capture_output=True,
        text=True,
        timeout=60,
        env={'PATH': f'{tmp_path}:/usr/bin:/bin'},
    )
    assert failed.returncode == 1
    assert 'has no lada and torch' in failed.stderr and len(failed.stderr.splitlines()) == 1


def test_a_port_in_use(tmp_path, write_config, launch):
    with socket.socket() as taken:
        taken.bind(('', 0))
        taken.listen()
        status, _, err = launch(
            SCRIPTS[1],
            CONFIG=str(write_config(tmp_path / 'run')),
            MASTER_PORT=str(taken.getsockname()[1]),
        )
    assert status == 1
    assert 'is in use' in err


def test_a_port_is_kept_while_the_launcher_starts(tmp_path, repo_root, monkeypatch):
    """By whatever the script's shell has become, until it ends."""
    monkeypatch.setenv('TMPDIR', str(tmp_path))
    reserve = f'. {repo_root}/scripts/training/launch-common.sh; reserve_port 29500 || exit 9;'
    command = ['bash', '-c', f'{reserve} echo; exec sleep 60']
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None and first.stdout.readline() == '\n'
        assert subprocess.run(['bash', '-c', reserve], check=False).returncode == 9
        first.kill()
    assert subprocess.run(['bash', '-c', reserve], check=False).returncode == 0
