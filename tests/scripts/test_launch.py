"""The launch scripts with two real processes, and their early failures."""

import os
import signal
import socket
import subprocess
import time

import pytest

SCRIPTS = ['run_multi_gpu_training.sh', 'run_multi_gpu_training_torchrun.sh']


@pytest.fixture
def launch(repo_root):
    def run(script, *args, **environment):
        return subprocess.run([repo_root / script, *map(str, args)], capture_output=True, text=True, timeout=300,
                              env={**os.environ, 'OMP_NUM_THREADS': '1', **environment})
    return run


@pytest.mark.slow
@pytest.mark.parametrize('script', SCRIPTS)
def test_two_processes_train(tmp_path, write_config, launch, script):
    config = write_config(tmp_path / 'run')
    done = launch(script, '--cfg-options', 'train_cfg.max_iters=2', CONFIG=str(config))
    assert done.returncode == 0, done.stderr
    assert 'Running:' in done.stdout and '--launcher pytorch' in done.stdout
    assert (tmp_path / 'run' / 'iter_2.pth').exists()
    log = next((tmp_path / 'run').glob('*/*.log')).read_text()
    assert 'Distributed training: True' in log and 'GPU number: 2' in log


@pytest.mark.slow
@pytest.mark.parametrize(('environment', 'said'), [
    ({'CONFIG': 'nowhere.py'}, 'no config at nowhere.py'),
    ({'NPROC': 'two'}, 'NPROC=two'),
    ({'CUDA_VISIBLE_DEVICES': '0,1,2'}, 'PyTorch sees no GPU'),
    ({'LADA_DATA_ROOT': 'nowhere'}, 'nowhere'),
])
def test_early_failures_are_one_line(launch, environment, said):
    environment = {'CONFIG': 'configs/basicvsrpp/mosaic_restoration_demo_cpu.py', **environment}
    failed = launch(SCRIPTS[1], **environment)
    assert failed.returncode == 1
    assert said in failed.stderr.strip().splitlines()[-1]
    assert 'Traceback' not in failed.stderr
    assert 'Running:' not in failed.stdout


@pytest.mark.slow
def test_a_port_in_use(tmp_path, write_config, launch):
    with socket.socket() as taken:
        taken.bind(('', 0))
        taken.listen()
        failed = launch(SCRIPTS[1], CONFIG=str(write_config(tmp_path / 'run')), MASTER_PORT=str(taken.getsockname()[1]))
    assert failed.returncode == 1
    assert 'is in use' in failed.stderr


@pytest.mark.slow
def test_interrupting_leaves_no_process(tmp_path, write_config, repo_root):
    config = write_config(tmp_path / 'run')
    process = subprocess.Popen(
        [repo_root / SCRIPTS[1], '--cfg-options', 'train_cfg.max_iters=100000'], start_new_session=True,
        env={**os.environ, 'OMP_NUM_THREADS': '1', 'CONFIG': str(config)}, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True)
    end = time.monotonic() + 120
    while not (tmp_path / 'run' / 'iter_2.pth').exists():
        assert process.poll() is None and time.monotonic() < end, process.communicate()
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    with pytest.raises(ProcessLookupError):
        for _ in range(50):
            os.killpg(process.pid, 0)
            time.sleep(0.2)
