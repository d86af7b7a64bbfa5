"""One run, one history: what starts, resumes and failed starts leave in TensorBoard's folder."""

import os
import subprocess
import sys

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.visualization.vis_backend import BaseVisBackend
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lada.engine import Visualizer
from lada.engine.history import RUN_ID, History, forget, start_in
from lada.engine.vis_backends.run_backend import RunBackend
from lada.errors import LadaError


@pytest.fixture
def begin(tmp_path):
    """Return a function that builds the Visualizer of a start, in a dated folder of its own."""
    count = 0

    def start(iteration: int, validated: bool = False) -> Visualizer:
        nonlocal count
        count += 1
        folder = tmp_path / f'start_{count}'
        visualizer = Visualizer.get_instance(
            f'{tmp_path.name}_{count}', vis_backends='TensorboardVisBackend', save_dir=str(folder)
        )
        visualizer.add_config(Config(dict(number=count)))
        visualizer.continue_from(History(tmp_path, iteration, validated))
        return visualizer

    return start


def train(visualizer, *steps):
    for step in steps:
        visualizer.add_scalars({'loss': 10.0 * step, 'iter': step}, step=step)


def validate(visualizer, step, gain):
    visualizer.add_picture('a', np.zeros((8, 8, 3), np.uint8), step, f'a: {gain}')
    visualizer.add_scalars({'PSNR': 30.0, 'mosaic/psnr_model': 30.0, 'mosaic/gain': gain}, step)


def read(folder):
    events = EventAccumulator(str(folder / 'tensorboard'), dict(scalars=0, images=0))
    events.Reload()
    return events


def points(events, name):
    return [(event.step, event.value) for event in events.Scalars(name)]


def test_outside_of_a_training_the_visualizers_own_folder_is_taken(tmp_path, monkeypatch):
    """As by ``Runner.val()``, after which nobody looks into the current folder."""
    (tmp_path / 'here').mkdir()
    monkeypatch.chdir(tmp_path / 'here')
    visualizer = Visualizer.get_instance(
        f'{tmp_path.name}_alone',
        vis_backends='TensorboardVisBackend',
        save_dir=str(tmp_path / 'vis_data'),
    )
    validate(visualizer, 3, 1.5)
    visualizer.close()
    assert points(read(tmp_path / 'vis_data'), 'mosaic/gain') == [(3, 1.5)]
    assert not list((tmp_path / 'here').iterdir())


def test_a_resumed_run_goes_on_in_the_same_folder(begin, tmp_path):
    first = begin(0)
    train(first, 1, 2, 3)
    validate(first, 4, 0.5)
    train(first, 5, 6)
    validate(first, 8, 0.75)
    second = begin(4)  # the first was killed, and never closed its file
    train(second, 5, 6, 7)
    validate(second, 8, 1.0)
    events = read(tmp_path)
    assert points(events, 'training/loss') == [(step, 10.0 * step) for step in (1, 2, 3, 5, 6, 7)]
    assert points(events, 'mosaic/gain') == [(4, 0.5), (8, 1.0)]
    assert [event.step for event in events.Images('pictures/a')] == [4, 8]
    assert sorted(events.Tags()['scalars']) == [
        'mosaic/gain',
        'training/loss',
        'validation/PSNR',
        'validation/mosaic/psnr_model',
    ]


def test_a_validation_that_is_repeated_is_shown_once(begin, tmp_path):
    first = begin(0)
    train(first, 3, 4)
    validate(first, 4, 0.5)
    second = begin(4, validated=True)
    validate(second, 4, 0.5)
    train(second, 5)
    events = read(tmp_path)
    assert points(events, 'mosaic/gain') == [(4, 0.5)]
    assert points(events, 'training/loss') == [(3, 30.0), (4, 40.0), (5, 50.0)]
    assert [event.step for event in events.Images('pictures/a')] == [4]


def test_a_run_that_begins_anew_takes_the_place_of_the_old(begin, tmp_path):
    train(begin(0), 1, 2, 3)
    train(begin(0), 1)
    assert points(read(tmp_path), 'training/loss') == [(1, 10.0)]


def test_nothing_is_there_before_something_is_recorded(begin, tmp_path):
    visualizer = begin(0)
    visualizer.close()
    assert list(tmp_path.iterdir()) == []
    visualizer.open()
    assert (tmp_path / 'tensorboard').is_dir()


def test_scalars_json_is_written_as_it_was(begin, tmp_path):
    train(begin(0), 1)
    record = '{"loss": 10.0, "iter": 1, "step": 1}'
    assert (tmp_path / 'start_1' / 'vis_data' / 'scalars.json').read_text().strip() == record


def test_the_id_stays_with_the_run(tmp_path):
    first = History(tmp_path).id
    assert History(tmp_path, start=4).id == first == (tmp_path / RUN_ID).read_text().strip()
    assert History(tmp_path).id != first, 'a run that begins anew is another'
    forget(tmp_path)
    assert History(tmp_path, start=4).id != first


def test_what_an_earlier_start_validated_is_known(tmp_path):
    folder = tmp_path / '20260101_000000' / 'vis_data'
    folder.mkdir(parents=True)
    (folder / 'scalars.json').write_text(
        '{"loss": 1.0, "iter": 4, "step": 4}\n{"PSNR": 30.0, "step": 4}\n'
    )
    assert History.of(tmp_path, 4).validated and not History.of(tmp_path, 2).validated
    assert not History.of(tmp_path / 'other', 4).validated


def test_a_failed_start_leaves_no_folder(tmp_path):
    def log(name):
        path = tmp_path / name / f'{name}.log'
        path.parent.mkdir(parents=True)
        path.write_text('a line\n')
        return path.parent

    earlier = log('1')
    with pytest.raises(ValueError), start_in(tmp_path):
        log('2')
        raise ValueError
    assert list(tmp_path.iterdir()) == [earlier]
    with pytest.raises(ValueError), start_in(tmp_path):
        (log('3') / 'vis_data').mkdir()
        raise ValueError
    assert (tmp_path / '3').exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    'options',
    [
        ['model.generator.mid_channels=12', 'model.generator.deform_groups=16'],
        ['optim_wrapper.optimizer.lr=fast'],
        ['visualizer.vis_backends=MLflowVisBackend'],
    ],
    ids=['while building', 'at the optimizer', 'at a service that does not answer'],
)
def test_a_start_that_fails_leaves_the_state_alone(tmp_path, write_config, run_training, options):
    config = write_config(tmp_path / 'run')
    address = {'MLFLOW_TRACKING_URI': 'http://127.0.0.1:9', 'MLFLOW_HTTP_REQUEST_MAX_RETRIES': '0'}
    status, _, err = run_training(config, '--cfg-options', *options, **address)
    assert status != 0, err
    left = {path.name for path in (tmp_path / 'run').iterdir()}
    assert left <= {'run_state.json', RUN_ID, 'run.py'}, left


class LostService(RunBackend, BaseVisBackend):
    """A service that began, and is away from then on."""

    offline = 'wait'
    experiment = None

    def __init__(self, save_dir: str | None = None):
        super().__init__(save_dir or '')

    def _init_env(self):
        pass

    def add_scalars(self, *args, **kwargs):
        raise ConnectionError('no route')

    add_image = close = add_scalars


def test_a_service_that_is_lost_does_not_end_the_training(tmp_path):
    visualizer = Visualizer.get_instance(
        tmp_path.name,
        vis_backends=[dict(type=LostService), 'TensorboardVisBackend'],
        save_dir=str(tmp_path / 'start_1'),
    )
    visualizer.continue_from(History(tmp_path))
    train(visualizer, 1)
    validate(visualizer, 1, 0.5)
    visualizer.close()
    assert points(read(tmp_path), 'mosaic/gain') == [(1, 0.5)]


def test_unknown_backends_are_named():
    with pytest.raises(LadaError, match="'WandVisBackend'; did you mean 'WandbVisBackend'"):
        Visualizer.get_instance('unknown', vis_backends=[dict(type='WandVisBackend')])


@pytest.mark.parametrize(
    ('backend', 'package'),
    [
        ('WandbVisBackend', 'wandb'),
        ('MLflowVisBackend', 'mlflow'),
        ('SwanlabVisBackend', 'swanlab'),
    ],
)
def test_a_missing_package_is_named_with_its_command(monkeypatch, backend, package):
    monkeypatch.setitem(sys.modules, package, None)  # Python's own way to say that it is not there
    with pytest.raises(LadaError, match=rf"package {package}.* pip install 'lada\[{package}\]'"):
        Visualizer.get_instance(f'without {package}', vis_backends=backend, save_dir='none')


def test_services_are_imported_where_a_config_asks_for_them(repo_root):
    job = """
import sys
from lada.engine import Visualizer
Visualizer.get_instance('all', vis_backends=['TensorboardVisBackend', 'WandbVisBackend',
    'MLflowVisBackend', 'SwanlabVisBackend'])
print({'wandb', 'mlflow', 'swanlab'} & set(sys.modules))
"""
    done = subprocess.run(
        [sys.executable, '-c', job], cwd=repo_root, capture_output=True, text=True, env=os.environ
    )
    assert done.stdout == 'set()\n', done.stderr
