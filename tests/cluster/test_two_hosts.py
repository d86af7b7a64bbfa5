"""An elastic job on two hosts that come and go, started as the guide says."""

import json
import re
import shutil
import signal
import time

import pytest
import torch
from harness import ROOT, final_state, newest, same, write_config

LAUNCH = ROOT / 'run_multi_gpu_training_torchrun.sh'


@pytest.fixture
def start(tmp_path, clips, two_hosts):
    extra = "default_hooks['checkpoint'].update(max_keep_ckpts=-1, interval=20)\n"
    extra += "default_hooks['watchdog'] = dict(dead_after=8)\n"
    extra += "train_cfg['val_interval'] = 100\n"
    config = write_config(tmp_path / 'run', clips, extra, iters=1_000_000)
    logs = []

    def start(host):
        logs.append(tmp_path / f'{host.name}-{len(logs)}.log')
        settings = dict(
            CONFIG=str(config),
            NNODES='1:2',
            NPROC='1',
            MASTER_ADDR=two_hosts[0].address,
            OMP_NUM_THREADS='1',
            PYTHONPATH=f'{ROOT}:{ROOT / "tests/faults"}',
        )
        return host.start(LAUNCH, log=logs[-1], **settings), logs[-1]

    return start


def wait_for(condition, log, seconds=150):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.1)
    return found


def starts(log):
    """Return the iterations from which trainings went on, in order; 0: afresh."""
    said = re.findall(r'training (starts afresh|continues from iteration (\d+))', log.read_text())
    return [int(number or 0) for _, number in said]


def newest_after(run, at):
    return any(int(path.stem[5:]) > at for path in run.glob('iter_*.pth'))


def test_a_host_joins_dies_joins_again_and_is_cut_off(tmp_path, two_hosts, start, clips, server):
    """Whoever is left goes on from the newest checkpoint; no sample is lost or seen twice."""
    run = tmp_path / 'run'
    one, other = two_hosts
    job, log = start(one)
    wait_for(lambda: newest_after(run, 0), log)

    start(other)
    wait_for(lambda: len(starts(log)) == 2, log)
    wait_for(lambda: newest_after(run, starts(log)[1]), log)
    other.crash()
    wait_for(lambda: len(starts(log)) == 3, log)
    wait_for(lambda: newest_after(run, starts(log)[2]), log)

    lost, its_log = start(other)
    other.give_up_sooner()
    wait_for(lambda: len(starts(log)) == 4, log)
    wait_for(lambda: newest_after(run, starts(log)[3]), log)
    other.cut_cable()
    wait_for(lambda: len(starts(log)) == 5, log)

    wait_for(lambda: newest_after(run, starts(log)[4]), log)
    one.signal(signal.SIGTERM)
    job.wait(timeout=100)
    assert json.loads((run / 'run_state.json').read_text())['state'] == 'stopped', log.read_text()

    _, joined, alone, again, cut = starts(log)
    end = newest(run)
    assert 0 < joined <= alone <= again <= cut < end
    hub = torch.load(run / f'iter_{end}.pth', weights_only=False)['message_hub']
    twice = (alone - joined) + (cut - again)
    assert hub['runtime_info']['samples_consumed'] == end + twice

    # Bit for bit what one process makes of the checkpoint at which it was left alone.
    copy = tmp_path / 'copy'
    copy.mkdir()
    shutil.copy(run / f'iter_{cut}.pth', copy)
    repeated = server.run(write_config(copy, clips, iters=end))
    assert repeated.status == 0, repeated.output
    assert same(final_state(run)['weights'], final_state(copy)['weights'])

    # Its worker gives up by itself, its launcher when the network's protocol does.
    assert lost.wait(timeout=200) == 3, its_log.read_text()
    assert 'is out of reach' in its_log.read_text()
    assert its_log.read_text().splitlines()[-1].startswith('error: the machines do not meet')
