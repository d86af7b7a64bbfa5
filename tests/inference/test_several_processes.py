"""Evaluating and restoring shared by two processes: what comes of it is what one process makes."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from harness import free_port

from lada.evaluation.journal import JOURNAL, Journal
from lada.models import BasicVSRPlusPlusNet
from lada.video import read_frames

RESTORE = 'restore-video.py'
LOSSLESS = '--codec', 'ffv1'  # holds no frames back
EVALUATE = 'evaluate-mosaic-restoration-basicvsrpp.py'
NETWORK = """
model['generator'] = dict(_delete_=True, type='BasicVSRPlusPlusNet', mid_channels=8, num_blocks=1,
                          head_channels=4, deform_groups=4, is_low_res_input=False)
"""


@pytest.fixture
def start(repo_root):
    """Return a function that starts a script as two processes."""
    started = []

    def start(script, *args):
        port = str(free_port())
        for rank in '01':
            where = dict(
                RANK=rank,
                LOCAL_RANK=rank,
                WORLD_SIZE='2',
                MASTER_ADDR='127.0.0.1',
                MASTER_PORT=port,
                OMP_NUM_THREADS='1',
            )
            started.append(
                subprocess.Popen(
                    [
                        sys.executable,
                        repo_root / 'scripts/evaluation' / script,
                        *map(str, args),
                        '--launcher',
                        'pytorch',
                        '--device',
                        'cpu',
                    ],
                    env={**os.environ, **where},
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
        return started[-2:]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def ends(processes):
    """Return (status, stdout, stderr) of each."""
    said = [process.communicate(timeout=120) for process in processes]
    return [(p.returncode, *texts) for p, texts in zip(processes, said, strict=True)]


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    generator = BasicVSRPlusPlusNet(
        mid_channels=8,
        num_blocks=1,
        head_channels=4,
        deform_groups=4,
        is_low_res_input=False,
    )
    torch.nn.init.normal_(generator.conv_last.weight, std=0.02)
    path = tmp_path_factory.mktemp('weights') / 'weights.pth'
    torch.save(generator.state_dict(), path)
    return path


@pytest.fixture
def restoring(tmp_path, make_video, frames, checkpoint):
    """Return a function that makes the arguments that restore a video of many windows."""
    boxes = tmp_path / 'boxes.csv'
    boxes.write_text('first,last,x,y,width,height\n0,,20,20,60,50\n20,,90,60,40,40\n')

    def arguments(output, repeats=1):
        images = np.concatenate([frames, frames[::-1]] * repeats)
        source = make_video(f'in{repeats}.mp4', images=images)
        return [
            *('--input', source, '--checkpoint', checkpoint, '--boxes', boxes),
            *('--output', tmp_path / output, '--window', 8, '--overlap', 2),
        ]

    return arguments


def test_the_same_video(tmp_path, restoring, run_script_file, start):
    status, alone, err = run_script_file(RESTORE, *restoring('one.mp4'), '--device', 'cpu')
    assert status == 0, err
    (status, out, err), other = ends(start(RESTORE, *restoring('two.mp4')))
    assert status == 0 and not err, err
    assert other == (0, '', '')
    assert out.splitlines()[:-1] == alone.splitlines()[:-1]
    assert (tmp_path / 'two.mp4').read_bytes() == (tmp_path / 'one.mp4').read_bytes()


def test_the_same_numbers(tmp_path, write_config, run_script_file, start, checkpoint):
    config = write_config(tmp_path / 'work', NETWORK)
    one, two = tmp_path / 'one', tmp_path / 'two'
    status, alone, err = run_script_file(
        EVALUATE, config, checkpoint, '--out', one, '--device', 'cpu'
    )
    assert status == 0, err
    (status, out, err), other = ends(start(EVALUATE, config, checkpoint, '--out', two))
    assert status == 0, err
    assert other[:2] == (0, '')
    assert out.replace(str(two), str(one)) == alone
    files = {path.relative_to(one) for path in one.rglob('*')}
    assert {path.relative_to(two) for path in two.rglob('*')} == files
    for name in files:
        if (one / name).is_file():
            assert (two / name).read_bytes() == (one / name).read_bytes(), name
    assert len(json.loads((one / 'evaluation.json').read_text())['clips']) == 2


@pytest.mark.slow
def test_two_processes_go_on_with_an_evaluation(
    tmp_path, clips, write_config, run_script_file, start, checkpoint, monkeypatch
):
    command = [
        *(write_config(tmp_path / 'work', NETWORK), checkpoint),
        *('--data', clips[0], '--pictures', 4, '--output'),
    ]
    whole, out = tmp_path / 'whole', tmp_path / 'out'
    monkeypatch.setattr(Journal, 'remove', lambda journal: None)
    assert run_script_file(EVALUATE, *command, whole, '--device', 'cpu')[0] == 0
    lines = (whole / JOURNAL).read_bytes().splitlines(keepends=True)
    assert len(lines) == 1 + 5
    out.mkdir()
    (out / JOURNAL).write_bytes(b''.join(lines[:3]) + lines[3][:100])
    (whole / JOURNAL).unlink()
    (status, said, err), _ = ends(start(EVALUATE, *command, out))
    assert status == 0 and 'continuing behind 2 clips' in said, err
    files = {path.relative_to(whole) for path in whole.rglob('*') if path.is_file()}
    assert {path.relative_to(out) for path in out.rglob('*') if path.is_file()} == files
    for name in files:
        assert (out / name).read_bytes() == (whole / name).read_bytes(), name


@pytest.mark.slow
def test_stopped_and_continued(tmp_path, restoring, run_script_file, start):
    """Both are told to stop, as by a scheduler; one process goes on."""
    processes = start(RESTORE, *restoring('out.mkv'), *LOSSLESS)
    wait_for_frames(tmp_path, processes)
    for process in processes:
        process.send_signal(signal.SIGTERM)
    assert [status for status, *_ in ends(processes)] == [143, 143]
    assert [path.name for path in tmp_path.glob('*out*')] == ['out-partial.mkv']
    status, out, err = run_script_file(
        RESTORE, *restoring('out.mkv'), *LOSSLESS, '--resume', '--device', 'cpu'
    )
    assert status == 0 and 'continuing behind frame' in out, err
    assert len(read_frames(tmp_path / 'out.mkv')) == 48


@pytest.mark.slow
@pytest.mark.parametrize('lost', [0, 1])
def test_a_lost_process_ends_the_other(tmp_path, restoring, start, lost):
    processes = start(RESTORE, *restoring('out.mkv', repeats=3), *LOSSLESS)
    wait_for_frames(tmp_path, processes)
    processes[lost].kill()
    status, _, err = ends(processes)[1 - lost]
    assert status == 3 and len(err.splitlines()) == 1 and 'was lost' in err
    assert not (tmp_path / 'out.mkv').exists()
    assert (tmp_path / 'out-partial.mkv').exists() == (lost == 1)


def test_a_mistake_is_told_once(tmp_path, restoring, start):
    missing = tmp_path / 'missing.mp4'
    (status, _, err), other = ends(
        start(RESTORE, *restoring('out.mkv'), *LOSSLESS, '--input', missing)
    )
    assert status == 1 and err.count('\n') == 1 and str(missing) in err
    assert other == (1, '', '')


def wait_for_frames(folder, processes):
    """Wait until some frames of the output are written."""
    end = time.monotonic() + 60
    while not any(path.stat().st_size > 50_000 for path in folder.glob('*out*.mkv*')):
        assert time.monotonic() < end and all(p.poll() is None for p in processes)
        time.sleep(0.01)
