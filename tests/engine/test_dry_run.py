"""``--dry-run`` fails where the run would, says where in the config, and leaves nothing behind."""

import json
import os
import re
import subprocess
import sys

import pytest

from tests.conftest import tiny_config

JOB = """
import json, sys
sys.modules['wandb'] = None  # Python's own way to say that a package is not there
from lada.engine.train import TrainOptions, describe_run
from lada.errors import LadaError

said = {}
for name, options in json.loads(sys.argv[1]).items():
    try:
        said[name] = describe_run(TrainOptions(**options), trial=name == 'right')
    except LadaError as error:
        said[name] = str(error)
print(json.dumps(said))
"""

MISTAKES = {
    'a score that is not': (
        {'val_evaluator.metrics.2.scores': [dict(type='ChromaErorr')]},
        r"no score is called 'ChromaErorr'",
    ),
    'weights of a score that are not there': (
        {'val_evaluator.metrics.2.scores': [dict(type='DISTS', weights='none.pth')]},
        r'DISTS: no such weight file: none\.pth; give the path of vgg16-397923af\.pth from https',
    ),
    'an argument of a base': (
        {'model.pixel_loss.type': 'L1Loss'},
        r"model\.pixel_loss: L1Loss takes no 'eps'; .*_delete_=True",
    ),
    'a loss that is not': (
        {'model.pixel_loss.type': 'CharbonierLoss'},
        r"model\.pixel_loss: no model is called 'CharbonierLoss'; did you mean 'CharbonnierLoss'",
    ),
    'a hook that is not': (
        {'custom_hooks': [dict(type='PictureHook')]},
        r"custom_hooks\[0\]: no hook is called 'PictureHook'; did you mean 'PicturesHook'",
    ),
    'an argument of the checkpoint hook': (
        {'default_hooks.checkpoint.intervall': 5},
        r"unknown argument 'intervall' in default_hooks\.checkpoint; it knows",
    ),
    'a best score that is not': (
        {'default_hooks.checkpoint.save_best': 'PSNRR'},
        r"save_best='PSNRR' is no result of the validation; it has PSNR, .*mosaic/gain,",
    ),
    'channels that the network cannot have': (
        {'model.generator.mid_channels': 12, 'model.generator.deform_groups': 16},
        r'16 deformable groups cannot share the 24 channels .* mid_channels a multiple of 8',
    ),
    'a scheduler that is not': (
        {'param_scheduler.type': 'CosineLR'},
        r"param_scheduler: no scheduler is called 'CosineLR'",
    ),
    'an optimizer that is not': (
        {'optim_wrapper.optimizer.type': 'Adamm'},
        r"optim_wrapper\.optimizer: no optimizer is called 'Adamm'",
    ),
    'a service whose package is missing': (
        {'visualizer.vis_backends': 'WandbVisBackend'},
        r"WandbVisBackend needs the package wandb, .*; pip install 'lada\[wandb\]'",
    ),
    'a metric that is not': (
        {'val_evaluator.metrics.0.type': 'PSNRR'},
        r"val_evaluator\.metrics\[0\]: no metric is called 'PSNRR'; did you mean 'PSNR'",
    ),
}


@pytest.fixture(scope='module')
def said(clips, tmp_path_factory, repo_root):
    """What a dry run says of each case, all in one process."""
    work_dir = tmp_path_factory.mktemp('dry') / 'run'
    path = str(tiny_config(work_dir.with_suffix('.py'), work_dir, clips))
    cases = {
        name: dict(config=path, cfg_options=options) for name, (options, _) in MISTAKES.items()
    }
    weights = work_dir.parent / 'weights.pth'
    job = (
        'import sys, torch; torch.save({"state_dict": {"generator.x": torch.ones(1)}}, sys.argv[1])'
    )
    subprocess.run([sys.executable, '-c', job, weights], check=True)
    cases['right'] = dict(config=path)
    cases['weights that are not'] = dict(config=path, load_from='none.pth')
    cases['weights that do not fit'] = dict(config=path, load_from=str(weights))
    before = sorted(work_dir.parent.rglob('*'))
    done = subprocess.run(
        [sys.executable, '-c', JOB, json.dumps(cases)],
        cwd=repo_root,
        capture_output=True,
        text=True,
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
    )
    assert done.returncode == 0, done.stderr
    assert sorted(work_dir.parent.rglob('*')) == before
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize('name', MISTAKES)
def test_mistakes_are_named_with_their_place(said, name):
    assert isinstance(said[name], str), said[name]
    assert re.search(MISTAKES[name][1], said[name]), said[name]


def test_weights_are_tried(said):
    assert 'weight file not found: none.pth' in said['weights that are not']
    assert 'weights of another architecture' in said['weights that do not fit']


def test_a_right_config_says_what_it_would_do(said):
    lines = dict(line.split(': ', 1) for line in said['right'] if ': ' in line)
    assert lines['checkpoints'] == lines['work directory']
    assert lines['train_dataloader'] == '5 clips of 1 source'
    assert lines['val_dataloader'] == '2 clips of 1 source'
    assert said['right'][-1] == 'starts afresh'


def test_a_step_is_tried(said):
    lines = '\n'.join(said['right'])
    assert re.search(r'network: [\d,]+ parameters\n', lines)
    assert re.search(r'a step of 1 clip: \d+\.\d\d s, \d.* at its peak\n', lines)
    assert re.search(r'its data: \d+\.\d\d s in one process; num_workers=0 wait for it\n', lines)
    assert re.search(r'8 iterations: about \d+ (s|min), without validation\n', lines)
    assert all('a step of' not in line for name in said if name != 'right' for line in said[name])
