"""A machine that joins a running job, as a second agent on this machine."""

import os
import re
import subprocess
import sys
import time

import pytest
import torch
from harness import HERE, ROOT, SCRIPT, write_config

from tests.engine.conftest import free_port, kill_all

ITERS = 1500


@pytest.fixture
def start(tmp_path):
    agents = []

    def start(config, port):
        command = [
            sys.executable,
            '-m',
            'torch.distributed.run',
            '--nnodes=1:2',
            '--nproc-per-node=1',
            '--max-restarts=3',
            '--rdzv-backend=c10d',
            f'--rdzv-endpoint=127.0.0.1:{port}',
            '--rdzv-id=lada',
            '--rdzv-conf=last_call_timeout=2',
            '--local-addr=127.0.0.1',
            SCRIPT,
            config,
            '--launcher',
            'pytorch',
        ]
        environment = {
            **os.environ,
            'OMP_NUM_THREADS': '1',
            'PYTHONPATH': os.pathsep.join(map(str, (ROOT, HERE))),
            # As run_multi_gpu_training_torchrun.sh sets it.
            'TORCH_DISABLE_SHARE_RDZV_TCP_STORE': '1',
        }
        with open(tmp_path / f'agent{len(agents)}.log', 'w') as log:
            agents.append(
                subprocess.Popen(
                    command,
                    cwd=ROOT,
                    env=environment,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )
        return agents[-1]

    yield start
    for agent in agents:
        kill_all(agent)
        agent.wait()


def test_a_machine_joins_an_elastic_job(tmp_path, clips, start):
    """The running worker saves, and both go on from there; no sample is lost or seen twice."""
    run, port = tmp_path / 'run', free_port()
    config = write_config(run, clips, iters=ITERS)
    staying = start(config, port)
    end = time.monotonic() + 120
    while not (run / 'iter_4.pth').exists():
        assert staying.poll() is None and time.monotonic() < end
        time.sleep(0.05)
    joining = start(config, port)
    assert [agent.wait(timeout=300) for agent in (staying, joining)] == [0, 0]
    said = (tmp_path / 'agent0.log').read_text()
    started = int(re.search(r'continues from iteration (\d+)', said)[1])
    assert 4 <= started < ITERS
    hub = torch.load(run / f'iter_{ITERS}.pth', weights_only=False)['message_hub']
    assert hub['runtime_info']['samples_consumed'] == started + 2 * (ITERS - started)
