"""Clips that are deleted, cut or never end while a run reads them, and numbers that are none."""

import json
import shutil
import signal

import pytest
from harness import final_state, newest, same, wait_for, write_config

from lada.data import ClipCatalog

pytestmark = pytest.mark.slow


@pytest.fixture
def copy(tmp_path, clips):
    """The training clips, copied so that a test may change them: ``(train, val)``, indexed."""
    root = shutil.copytree(
        clips[0].parent, tmp_path / 'copy', ignore=shutil.ignore_patterns('.lada_index')
    )
    ClipCatalog.open(root / clips[0].name)
    return root / clips[0].name, clips[1]


def videos(clips):
    return sorted((clips[0].parent / 'crop_unscaled_img').glob('*.mp4'))


def spoil(clips):
    """Delete one clip and cut another; returns their stems."""
    gone, half = videos(clips)[1:3]
    gone.unlink()
    half.write_bytes(half.read_bytes()[:300])
    return gone.stem, half.stem


@pytest.mark.parametrize('workers', [0, 2])
def test_clips_spoiled_while_training(tmp_path, copy, server, workers):
    # Two clips of five are far more than the usual limit of 1 % of 1,000 draws takes.
    extra = "\ndefault_hooks['bad_samples'] = dict(max_bad_fraction=0.1)\n"
    run = server.start(
        write_config(tmp_path / 'run', copy, extra, workers=workers, iters=20), fault='slow:1'
    )
    wait_for(tmp_path / 'run' / 'iter_2.pth', run)
    stems = spoil(copy)
    assert run.wait() == 0, run.output
    bad = final_state(tmp_path / 'run')['counters']['bad_samples']
    assert set(bad['clips']) == set(stems) and bad['count'] >= 2
    for stem in stems:
        assert run.output.count(f'Clip {stem} cannot be used and is replaced') == 1


def test_replacements_do_not_depend_on_workers_or_kills(tmp_path, copy, server):
    spoil(copy)
    ends = []
    for name, workers, faults in (
        ('whole', 0, []),
        ('workers', 2, []),
        ('killed', 2, ['forward:4', 'step:7']),
    ):
        config = write_config(tmp_path / name, copy, workers=workers)
        for fault in faults:
            assert server.run(config, fault=fault).status == -signal.SIGKILL
        assert server.run(config).status == 0
        ends.append(final_state(tmp_path / name))
    assert ends[0]['counters']['bad_samples']['count'] > 0
    for end in ends[1:]:
        assert [key for key in end if not same(end[key], ends[0][key])] == []


@pytest.mark.parametrize('processes', [1, 2])
def test_too_many_bad_clips(tmp_path, copy, server, processes):
    stem = videos(copy)[0].stem
    videos(copy)[0].unlink()
    extra = "\ndefault_hooks['bad_samples'] = dict(max_bad_fraction=0)\n"
    config = write_config(tmp_path / 'run', copy, extra, iters=20)
    runs = server.start_group(2, config) if processes == 2 else [server.start(config)]
    assert [run.wait() for run in runs] == [1] * processes
    for run in runs:
        last = run.output.strip().splitlines()[-1]
        assert last.startswith('error: ') and 'max_bad_fraction' in last and stem in last
    # Every rank read a clip or another before.
    assert newest(tmp_path / 'run') % 2 == 0


def test_a_worker_that_hangs(tmp_path, clips, server):
    config = write_config(tmp_path / 'run', clips, workers=1)
    run = server.run(config, '--cfg-options', 'train_dataloader.timeout=3', fault='hang:3')
    assert run.status == 1
    last = run.output.strip().splitlines()[-1]
    assert 'gave no batch after 3 seconds' in last
    assert any(stem in last for stem in ClipCatalog.open(clips[0]).stems.astype(str))


def test_a_worker_that_is_killed(tmp_path, clips, server):
    run = server.run(write_config(tmp_path / 'run', clips, workers=1), fault='worker:3')
    assert run.status == 1, run.output
    # PyTorch's signal handler may have a word of its own to say after this.
    (line,) = (line for line in run.output.splitlines() if line.startswith('error: '))
    assert 'a loader worker was killed' in line and 'bikes.mp4-' in line


def test_gradients_that_are_no_numbers(tmp_path, clips, server):
    """One rank's gradients are spoiled from iteration 3 on; both skip, name both ranks' clips, and
    stop alike.
    """
    extra = "\ndefault_hooks['bad_numbers'] = dict(max_consecutive=3)\n"
    runs = server.start_group(
        2,
        write_config(tmp_path / 'run', clips, extra),
        fault='poison:3',
        SAMPLES=str(tmp_path / 'samples'),
    )
    assert [run.wait() for run in runs] == [1, 1], runs[0].output
    seen = [
        json.loads((tmp_path / f'samples.{rank}').read_text().splitlines()[4])[1]
        for rank in range(2)
    ]
    for run in runs:
        assert '3 updates in a row' in run.output.strip().splitlines()[-1]
    for (name,) in seen:
        assert name in runs[0].output.strip().splitlines()[-1]
    assert runs[0].output.count('update skipped') == 3
    end = final_state(tmp_path / 'run')
    assert end['iter'] == 4
    assert all(value.isfinite().all() for value in end['weights'].values())
