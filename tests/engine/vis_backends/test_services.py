"""A training that was stopped and resumed, as each service's own client reads it back."""

import json
import struct
from collections import defaultdict
from pathlib import Path

import pytest
import torch

from tests.conftest import tiny_config

SERVICES = ('WandbVisBackend', 'MLflowVisBackend', 'SwanlabVisBackend')
# Fewer scores, and one step until the first validation.
EXTRA = f"""
visualizer = dict(vis_backends={SERVICES!r})
train_cfg = dict(max_iters=3, val_interval=2)
val_evaluator = dict(_delete_=True, type='Evaluator', metrics=[dict(type='MosaicGain')])
default_hooks = dict(
    checkpoint=dict(interval=1, max_keep_ckpts=-1, out_dir=None, save_best=None),
    logger=dict(interval=1))
"""
pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def run(server, clips, tmp_path_factory) -> Path:
    """The work directory of a run that ended at iteration 3, lost that checkpoint, and went on from
    2 to 4.
    """
    root = tmp_path_factory.mktemp('services')
    environment = {
        'WANDB_MODE': 'offline',
        'WANDB_ERROR_REPORTING': 'false',
        'WANDB_CONFIG_DIR': str(root / 'home'),
        'WANDB_CACHE_DIR': str(root / 'home'),
        'WANDB_DATA_DIR': str(root / 'home'),
        'SWANLAB_MODE': 'offline',
        'SWANLAB_ROOT': str(root / 'home'),
        'MLFLOW_DISABLE_TELEMETRY': 'true',
    }
    config, work_dir = root / 'run.py', root / 'run'
    tiny_config(config, work_dir, clips, EXTRA)
    for iterations in (3, 4):
        options = ['--cfg-options', f'train_cfg.max_iters={iterations}']
        started = server.start(config, *options, apart=True, **environment)
        assert started.wait() == 0, started.errors
        (work_dir / 'iter_3.pth').unlink()
    assert 'continues from iteration 2' in started.output + started.errors
    return work_dir


@pytest.fixture(scope='module')
def gains(run) -> dict[int, float]:
    """The gain by iteration, as the log has it."""
    lines = [
        json.loads(line)
        for path in sorted(run.glob('*/vis_data/scalars.json'))
        for line in path.read_text().splitlines()
    ]
    found = {line['step']: line['mosaic/gain'] for line in lines if 'mosaic/gain' in line}
    assert sorted(found) == [2, 3, 4]
    return found


@pytest.fixture(scope='module')
def names(run) -> set[str]:
    """The clips of which there are pictures."""
    table = sorted(run.glob('*/validation/iter_4/evaluation.json'))[-1].read_text()
    return {clip['key'] for clip in json.loads(table)['clips']}


def run_id(run: Path) -> str:
    return (run / 'run_id').read_text().strip()


def test_mlflow(run, gains, names):
    import mlflow

    client = mlflow.MlflowClient(f'sqlite:///{run / "mlflow.db"}')
    experiment = client.get_experiment_by_name('lada')
    [found] = client.search_runs([experiment.experiment_id])
    assert found.info.run_name == 'run' and found.info.status == 'FINISHED'
    assert found.data.tags['lada.run'] == run_id(run)
    assert found.data.params['train_cfg.max_iters'] == '3'
    history = client.get_metric_history(found.info.run_id, 'mosaic/gain')
    assert {point.step: point.value for point in history} == pytest.approx(gains)
    assert [point.step for point in history] == [2, 3, 4]
    losses = client.get_metric_history(found.info.run_id, 'training/loss')
    assert [point.step for point in losses] == [1, 2, 3, 4]
    pictures = [
        file.path.removeprefix('images/pictures~').split('+')
        for file in client.list_artifacts(found.info.run_id, 'images')
        if file.path.endswith('.png')
    ]
    assert sorted((name, int(step)) for name, _, step, *_ in pictures) == sorted(
        (name, step) for name in names for step in (2, 3, 4)
    )
    # The config is the newest one, and videos can be played.
    artifacts = {file.path for file in client.list_artifacts(found.info.run_id)}
    assert artifacts == {'config.py', 'images', 'videos'}


def wandb_records(path: Path):
    """Yield the records of a .wandb file. The package has its messages in Python, but no longer a
    reader of the log that they lie in (blocks of 32 KiB, as LevelDB has them).
    """
    from wandb.proto import wandb_internal_pb2

    data, at, record = path.read_bytes(), 7, b''
    while at < len(data):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        _, size, kind = struct.unpack('<IHB', data[at : at + 7])
        record += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):
            yield wandb_internal_pb2.Record.FromString(record)
            record = b''


def test_wandb(run, gains, names):
    starts = sorted(run.glob(f'wandb/offline-run-*-{run_id(run)}'))
    assert len(starts) == 2
    found, losses, pictures, captions = {}, [], defaultdict(set), []
    for start in starts:
        for record in wandb_records(start / f'run-{run_id(run)}.wandb'):
            if record.WhichOneof('record_type') == 'run':
                assert (record.run.run_id, record.run.display_name) == (run_id(run), 'run')
                assert (record.run.project, record.run.resumed) == ('lada', False)
            if record.WhichOneof('record_type') != 'history':
                continue
            row = {
                item.key or '/'.join(item.nested_key): json.loads(item.value_json)
                for item in record.history.item
            }
            step = row['_step']
            assert step == record.history.step.num
            losses += [step] if 'training/loss' in row else []
            found |= {step: row['mosaic/gain']} if 'mosaic/gain' in row else {}
            for name in names:
                picture = row.get(f'pictures/{name}/path')
                if picture:
                    assert (start / 'files' / picture).read_bytes()[:4] == b'\x89PNG'
                    assert (start / 'files' / row[f'videos/{name}/path']).stat().st_size > 100
                    pictures[step].add(name)
                    captions.append(row[f'pictures/{name}/caption'])
    assert found == pytest.approx(gains)
    assert losses == [1, 2, 3, 3, 4], 'what was repeated is sent again; W&B keeps the first'
    assert pictures == dict.fromkeys((2, 3, 4), names)
    assert all(caption.endswith(' dB') for caption in captions)


def test_swanlab(run, gains, names):
    from swanlab.proto.swanlab.record.v1.record_pb2 import Record
    from swanlab.sdk.internal.core_python.store import DataStoreReader

    starts = sorted(run.glob(f'swanlog/run-*-{run_id(run)}'))
    assert len(starts) == 2
    found, losses, pictures = {}, [], defaultdict(set)
    for start in starts:
        reader = DataStoreReader()
        reader.open(start / f'run-{run_id(run)}.swanlab')
        records = [Record.FromString(data) for data in reader]
        reader.close()
        [begun] = [record.start for record in records if record.HasField('start')]
        assert (begun.id, begun.name, begun.project) == (run_id(run), 'run', 'lada')
        for record in records:
            if record.HasField('scalar') and record.scalar.key == 'mosaic/gain':
                found[record.scalar.step] = record.scalar.value.number
            if record.HasField('scalar') and record.scalar.key == 'training/loss':
                losses.append(record.scalar.step)
            if record.HasField('media'):
                name = record.media.key.removeprefix('pictures/')
                [item] = record.media.value.items
                assert item.caption.startswith(f'{name}: ') and item.caption.endswith(' dB')
                picture = start / 'media' / 'image' / item.filename
                assert picture.read_bytes()[:4] == b'\x89PNG'
                pictures[record.media.step].add(name)
    assert found == pytest.approx(gains)
    assert losses == [1, 2, 3, 3, 4], 'what was repeated is sent again; SwanLab keeps the first'
    assert pictures == dict.fromkeys((2, 3, 4), names)


def test_the_weights_are_those_of_a_run_without_services(run, server, clips, tmp_path):
    plain = tiny_config(tmp_path / 'plain.py', tmp_path / 'plain', clips, EXTRA)
    options = ['visualizer.vis_backends=LocalVisBackend', 'train_cfg.max_iters=4']
    assert server.start(plain, '--cfg-options', *options, apart=True).wait() == 0
    expected, found = (
        torch.load(folder / 'iter_4.pth', weights_only=False)['state_dict']
        for folder in (tmp_path / 'plain', run)
    )
    assert all(torch.equal(expected[name], found[name]) for name in expected)
