"""Training and restoring on a GPU, with the commands."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lada.video import probe
from tests.gpu.conftest import DEVICE

TRAIN = 'scripts/training/train-mosaic-restoration-basicvsrpp.py'
RESTORE = 'scripts/evaluation/restore-video.py'


@pytest.fixture
def run(repo_root, tmp_path):
    """Return a function that runs a script, as one process or as ``processes`` under torchrun, and
    returns what it said.
    """

    def run(script, *args, processes=0):
        start = [sys.executable]
        if processes:
            start += ['-m', 'torch.distributed.run', '--standalone']
            start += [f'--nproc-per-node={processes}']
            args = (*args, '--launcher', 'pytorch')
        environment = {**os.environ, **({'CUDA_VISIBLE_DEVICES': ''} if DEVICE == 'cpu' else {})}
        done = subprocess.run(
            [*start, str(repo_root / script), *map(str, args)],
            cwd=repo_root,
            env=environment,
            capture_output=True,
            text=True,
            timeout=1200,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout + done.stderr

    return run


def weights(work_dir: Path, iteration: int = 8) -> torch.Tensor:
    state = torch.load(work_dir / f'iter_{iteration}.pth', weights_only=False, map_location='cpu')
    return torch.cat([part.float().flatten() for part in state['state_dict'].values()])


@pytest.mark.parametrize('options', [(), ('--amp',), ('--amp', '--amp-dtype', 'float16')], ids=str)
def test_a_resumed_run_ends_where_it_would_have(tmp_path, write_config, run, options):
    """Position and draws are exact; weights as far as the device repeats itself."""
    work = tmp_path / 'work'
    config = write_config(work)
    run(TRAIN, config, *options)
    undisturbed = weights(work)
    begun = torch.load(work / 'iter_4.pth', weights_only=False)
    assert next(iter(begun['state_dict'].values())).device.type == 'cpu'
    for name in ('iter_6.pth', 'iter_8.pth', 'last_checkpoint'):
        (work / name).unlink()
    said = run(TRAIN, config, *options)
    assert 'training continues from iteration 4' in said
    resumed = weights(work)
    assert (resumed - undisturbed).norm() / undisturbed.norm() < (
        0 if DEVICE == 'cpu' else 1e-3
    ) + 1e-9
    hub = torch.load(work / 'iter_8.pth', weights_only=False)['message_hub']
    assert hub['runtime_info']['samples_consumed'] == 8


@pytest.mark.timeout(1300)
def test_compiled_it_trains(tmp_path, write_config, run):
    run(TRAIN, write_config(tmp_path / 'work'), '--compile')
    assert weights(tmp_path / 'work').isfinite().all()


@pytest.mark.parametrize('processes', sorted({1, max(1, min(torch.cuda.device_count(), 8))}))
def test_distributed(tmp_path, write_config, run, processes):
    """With nccl, on one GPU and on all."""
    said = run(TRAIN, write_config(tmp_path / 'work'), processes=processes)
    hub = torch.load(tmp_path / 'work' / 'iter_8.pth', weights_only=False)['message_hub']
    assert hub['runtime_info']['samples_consumed'] == 8 * processes
    assert 'mosaic/gain' in said


def test_restoring(tmp_path, bikes, run):
    """Windows are shared by two processes, which may be on one GPU."""
    source = tmp_path / 'in.mp4'
    shutil.copy(bikes, source)
    options = ['--input', source, '--synthesize-mosaic', '--device', DEVICE]
    alone = run(RESTORE, *options, '--output', tmp_path / 'one.mp4')
    run(RESTORE, *options, '--output', tmp_path / 'two.mp4', processes=2)
    assert probe(tmp_path / 'one.mp4').width == probe(bikes).width
    assert 'restored' in alone
    size = [(tmp_path / name).stat().st_size for name in ('one.mp4', 'two.mp4')]
    assert size[1] == pytest.approx(size[0], rel=0.01)
    if DEVICE == 'cuda':
        run(RESTORE, *options, '--output', tmp_path / 'half.mp4', '--half')
