"""The training script as users run it: start, kill, resume, two processes, and mistakes."""

import json
import time

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def weights(work_dir, step=8):
    return torch.load(work_dir / f'iter_{step}.pth', weights_only=False)['state_dict']


def assert_same_weights(a, b):
    assert a.keys() == b.keys()
    different = [key for key in a if not torch.equal(a[key], b[key])]
    assert not different


def losses(work_dir):
    """Return {iteration: loss} as logged last, over all runs of the work directory."""
    found = {}
    for path in sorted(work_dir.glob('*/vis_data/*.json')):
        if path.name == 'config.py':
            continue
        for line in path.read_text().splitlines():
            entry = json.loads(line)
            if 'loss' in entry:
                found[entry['step']] = entry['loss']
    return found


def shown(work_dir):
    """Return what TensorBoard shows of a work directory: values and steps of pictures."""
    events = EventAccumulator(str(work_dir / 'tensorboard'), dict(scalars=0, images=0))
    events.Reload()
    tags = events.Tags()
    assert min(tags['scalars']) == 'mosaic/gain'
    names = [name for name in tags['scalars'] if name in ('mosaic/gain', 'training/loss')]
    return {
        **{name: [(e.step, e.value) for e in events.Scalars(name)] for name in names},
        **{name: [e.step for e in events.Images(name)] for name in tags['images']},
    }


def wait_for(path, process, seconds=120):
    end = time.monotonic() + seconds
    while not path.exists():
        assert process.lives(), process.end()
        assert time.monotonic() < end, f'{path} did not appear'
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize(('workers', 'ranks'), [(0, 1), (2, 1), (0, 2)])
def test_a_killed_run_ends_in_the_same_weights(
    tmp_path, write_config, start_training, run_training, workers, ranks
):
    options = ['--cfg-options', f'train_dataloader.num_workers={workers}']
    status, out, err = run_training(write_config(tmp_path / 'whole'), *options, ranks=ranks)
    assert status == 0, err
    assert 'starts afresh' in out + err

    killed = write_config(tmp_path / 'killed')
    process = start_training(killed, *options, ranks=ranks)
    wait_for(tmp_path / 'killed' / 'iter_4.pth', process)
    process.kill()
    status, out, err = run_training(killed, *options, ranks=ranks)
    assert status == 0, err
    assert 'no batch is replayed' in out + err
    assert 'continues from iteration' in out + err
    assert_same_weights(weights(tmp_path / 'whole'), weights(tmp_path / 'killed'))
    assert losses(tmp_path / 'whole') == losses(tmp_path / 'killed')
    assert shown(tmp_path / 'whole') == shown(tmp_path / 'killed')


@pytest.mark.slow
def test_logs_pictures_and_metrics(tmp_path, write_config, run_training):
    status, out, err = run_training(
        write_config(tmp_path / 'run'), '--cfg-options', 'default_hooks.checkpoint.save_best=auto'
    )
    assert status == 0, err
    scalars = [
        json.loads(line)
        for path in (tmp_path / 'run').glob('*/vis_data/scalars.json')
        for line in path.read_text().splitlines()
    ]
    assert sorted(losses(tmp_path / 'run')) == list(range(1, 9))
    assert any('PSNR' in entry for entry in scalars)
    assert any('mosaic/flicker_model' in entry for entry in scalars)
    scores = {entry['step']: entry['PSNR'] for entry in scalars if 'PSNR' in entry}
    [best] = (tmp_path / 'run').glob('best_*.pth')
    assert f'Best checkpoint: {best} (' in out + err
    assert best.name == f'best_PSNR_iter_{max(scores, key=lambda step: scores[step])}.pth'
    for pattern in ('clip_1.png', 'clip_1.mp4', 'clips.csv', 'evaluation.json'):
        assert len(list((tmp_path / 'run').glob(f'*/validation/iter_*/{pattern}'))) == 2
    assert list((tmp_path / 'run').glob('tensorboard/events.out.tfevents*'))
    assert (tmp_path / 'run' / 'last_checkpoint').read_text().endswith('iter_8.pth')

    status, out, err = run_training(tmp_path / 'run.py')
    assert status == 0 and 'nothing to do' in out + err

    status, out, err = run_training(tmp_path / 'run.py', '--no-resume', '--dry-run')
    assert status == 0 and 'starts afresh' in out
    assert (tmp_path / 'run' / 'iter_8.pth').exists()
    status, out, err = run_training(
        tmp_path / 'run.py', '--no-resume', '--cfg-options', 'train_cfg.max_iters=2'
    )
    assert status == 0, err
    assert list((tmp_path / 'run').glob('previous_*/iter_8.pth'))


@pytest.mark.slow
def test_replay_on_request_sees_the_same_data(tmp_path, write_config, run_training):
    config = write_config(tmp_path / 'run')
    assert run_training(config, '--cfg-options', 'train_cfg.max_iters=4')[0] == 0
    (tmp_path / 'run').rename(tmp_path / 'half')
    results = {}
    for mode in '01':
        status, out, err = run_training(
            config,
            '--work-dir',
            tmp_path / mode,
            '--resume-from',
            tmp_path / 'half' / 'iter_4.pth',
            MMENGINE_RESUME_DATALOADER=mode,
        )
        assert status == 0, err
        assert ('replaying 4 batches' in out + err) == (mode == '1')
        results[mode] = weights(tmp_path / mode)
    assert_same_weights(results['0'], results['1'])


@pytest.mark.slow
def test_load_from_starts_the_counters_anew(tmp_path, write_config, run_training):
    config = write_config(tmp_path / 'run')
    assert run_training(config, '--cfg-options', 'train_cfg.max_iters=4')[0] == 0
    status, out, err = run_training(
        config,
        '--work-dir',
        tmp_path / 'tuned',
        '--load-from',
        tmp_path / 'run' / 'iter_4.pth',
        '--cfg-options',
        'train_cfg.max_iters=2',
    )
    assert status == 0, err
    assert 'starts afresh from the weights in' in out + err
    tuned = weights(tmp_path / 'tuned', 2)
    # Still within fix_iter=3: the flow network has not moved.
    before = weights(tmp_path / 'run', 4)
    assert all(torch.equal(tuned[key], before[key]) for key in tuned if 'spynet' in key)
    assert any(
        not torch.equal(tuned[key], before[key])
        for key in tuned
        if key.startswith('generator.backbone')
    )
    assert tuned['step_counter'].item() == 2


@pytest.mark.slow
@pytest.mark.parametrize('options', [['--amp'], ['--amp', '--amp-dtype', 'float16'], ['--compile']])
def test_amp_and_compile_train(tmp_path, write_config, run_training, options):
    extra = 'compile = dict(backend="no-such-backend")' if '--compile' in options else ''
    status, out, err = run_training(
        write_config(tmp_path / 'run', extra), *options, '--cfg-options', 'train_cfg.max_iters=2'
    )
    assert status == 0, err
    assert ('torch.compile failed' in out + err) == ('--compile' in options)
    assert len(losses(tmp_path / 'run')) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ('options', 'extra', 'said'),
    [
        (['--resume-from', 'nowhere.pth'], '', 'no such file'),
        (['--launcher', 'pytorch'], '', 'torchrun'),
        (['--cfg-options', 'model.generator.mid_chanels=8'], '', 'mid_chanels'),
        (['--cfg-options', 'model.train_cfg.fix_iters=8'], '', 'fix_iters'),
        (['--cfg-options', 'train_dataloader.dataset.num_frames=3'], '', 'num_frames'),
        (['--cfg-options', 'optim_wrapper.optimizer.lrr=1'], '', 'lrr'),
        (
            [
                '--cfg-options',
                'train_dataloader.dataset.metadata_root_dir=nowhere/crop_unscaled_meta',
            ],
            '',
            'nowhere',
        ),
        ([], 'model = dict(generator=dict(type="NoSuchNet"))', 'NoSuchNet'),
    ],
)
def test_mistakes_end_in_one_line(tmp_path, write_config, run_training, options, extra, said):
    status, _, err = run_training(write_config(tmp_path / 'run', extra), *options)
    assert status == 1
    last = err.strip().splitlines()[-1]
    assert last.startswith('error: ') and said in last
    assert 'Traceback' not in err
    assert not list((tmp_path / 'run').glob('iter_*'))


@pytest.mark.slow
def test_a_checkpoint_of_another_architecture(tmp_path, write_config, run_training):
    config = write_config(tmp_path / 'run')
    assert run_training(config, '--cfg-options', 'train_cfg.max_iters=2')[0] == 0
    status, _, err = run_training(config, '--cfg-options', 'model.generator.mid_channels=16')
    assert status == 1
    assert 'of another architecture' in err.strip().splitlines()[-1]
    assert (tmp_path / 'run' / 'iter_2.pth').exists()
