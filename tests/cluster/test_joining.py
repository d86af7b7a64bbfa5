"""A machine that joins a running job, as a second agent on this machine."""

import re
import time

import pytest
import torch
from harness import free_port, meeting, torchrun, write_config

from tests.engine.conftest import kill_all

ITERS = 1500


@pytest.fixture
def start(tmp_path):
    agents = []

    def start(config, port):
        with open(tmp_path / f'agent{len(agents)}.log', 'w') as log:
            options = meeting(port, 'last_call_timeout=2')
            # As run_multi_gpu_training_torchrun.sh sets it.
            agents.append(
                torchrun(config, *options, stdout=log, TORCH_DISABLE_SHARE_RDZV_TCP_STORE='1')
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
