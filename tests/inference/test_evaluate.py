"""Evaluating checkpoints on a tiny validation set."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from torchvision.models import get_model

from lada.errors import LadaError
from lada.evaluation import MosaicGain
from lada.evaluation.journal import JOURNAL
from lada.evaluation.results import Evaluation
from lada.evaluation.scores import Score, build_scores
from lada.inference.evaluate import label_checkpoints, scores_of
from lada.registry import SCORES

SCRIPT = 'evaluate-mosaic-restoration-basicvsrpp.py'


@pytest.fixture
def config(tmp_path, write_config, plain_network):
    return write_config(tmp_path / 'work', plain_network)


def save_weights(config, path, noise=0.0):
    """Write a training checkpoint, or with noise the bare weights of a generator that changes
    pictures.
    """
    with DefaultScope.overwrite_default_scope('lada'):
        model = MODELS.build(Config.fromfile(config).model)
    path.parent.mkdir(exist_ok=True)
    if noise:
        torch.nn.init.normal_(model.generator.conv_last.weight, std=noise)
        torch.save(model.generator.state_dict(), path)
    else:
        torch.save(dict(state_dict=model.state_dict(), meta={}, message_hub={}), path)
    return path


def test_two_checkpoints_side_by_side(tmp_path, config, run_script_file):
    paths = [
        save_weights(config, tmp_path / 'iter_10.pth'),
        save_weights(config, tmp_path / 'run' / 'iter_20.pth', 0.02),
    ]
    out = tmp_path / 'out'
    status, text, err = run_script_file(
        SCRIPT, config, paths[0], tmp_path / 'run', '--out', out, '--device', 'cpu'
    )
    assert status == 0 and f'{tmp_path / "run"}: {paths[1]}\n' in text, err
    assert 'all clips' in text and 'iter_20 against iter_10: undecided' in text
    evaluation = Evaluation.from_file(out / 'evaluation.json')
    assert list(evaluation.checkpoints) == ['iter_10', 'iter_20'] and len(evaluation.clips) == 2
    # A fresh network returns its input, and another one does not.
    assert evaluation.total('iter_10', 'gain') == pytest.approx(0, abs=1e-6)
    assert evaluation.total('iter_20', 'gain') < -0.01 < 0 < evaluation.total('bicubic', 'gain')
    assert len(list(csv.reader((out / 'evaluation.csv').open()))) == 1 + 2 * 5
    assert len(list((out / 'pictures').glob('*.png'))) == 2
    assert '<html' in (out / 'report.html').read_text()
    assert (
        json.loads((out / 'evaluation.json').read_text())['totals']['iter_10']['psnr_mosaic'] > 20
    )

    status, _, err = run_script_file(SCRIPT, config, *paths, '--out', out)
    assert status == 1 and 'add --overwrite' in err
    status, text, err = run_script_file(
        'compare-evaluations.py',
        out / 'evaluation.json',
        out / 'evaluation.json',
        '--label-a',
        'input',
    )
    assert status == 0 and 'iter_20 is undecided' in text, err
    status, _, err = run_script_file(
        'compare-evaluations.py',
        out / 'evaluation.json',
        out / 'evaluation.json',
        '--score',
        'lpips',
    )
    assert status == 1 and err.count('\n') == 1 and 'both evaluations have psnr_mosaic, ' in err


def test_another_architecture_is_one_line(tmp_path, config, run_script_file):
    weights = save_weights(config, tmp_path / 'a.pth')
    out = tmp_path / 'out'
    status, _, err = run_script_file(
        SCRIPT, config, weights, '--out', out, '--cfg-options', 'model.generator.num_blocks=2'
    )
    assert (
        status == 1 and err.count('\n') == 1 and 'another architecture' in err and 'backbone' in err
    )
    for args in (
        [tmp_path / 'none.pth'],
        [weights, '--data', tmp_path / 'none'],
        [weights, '--device', 'cuda:99'],
        [weights, '--lpips-weights', tmp_path / 'none.pth'],
        [weights, '--dists-weights', tmp_path / 'none.pth'],
    ):
        status, _, err = run_script_file(SCRIPT, config, *args, '--out', out)
        assert status == 1 and err.count('\n') == 1
    assert not out.exists()


def test_measures_the_scores_that_the_config_names(monkeypatch):
    class Zero(Score):
        name = title = meaning = 'zero'
        higher_is_better = True

        def measure(self, clip, frames):
            return 0.0

    monkeypatch.setitem(SCORES.module_dict, 'Zero', Zero)
    built_in = [score.name for score in build_scores()]
    metric = dict(type='MosaicGain', scores=[dict(type='Zero')])
    for evaluator in (
        metric,
        [dict(type='PSNR'), metric],
        dict(type='Evaluator', metrics=[dict(type='PSNR'), metric]),
        dict(type='Evaluator', metrics=dict(type=MosaicGain, scores=[dict(type='Zero')])),
    ):
        scores = scores_of(Config(dict(val_evaluator=evaluator)))
        assert [score.name for score in scores] == [*built_in, 'zero']
    assert [score.name for score in scores_of(Config({}))] == built_in
    with pytest.raises(LadaError, match='Nought'):
        scores_of(Config(dict(val_evaluator=dict(metric, scores=[dict(type='Nought')]))))


def test_perceptual_scores_are_in_the_table(tmp_path, config, run_script_file):
    torch.manual_seed(0)
    state = get_model('alexnet').state_dict()
    torch.save({key: x for key, x in state.items() if 'features' in key}, tmp_path / 'alex.pth')
    weights = save_weights(config, tmp_path / 'a.pth')
    out = tmp_path / 'out'
    asked = ['--lpips-weights', tmp_path / 'alex.pth', '--vmaf', '--num-clips', '1']
    status, text, err = run_script_file(SCRIPT, config, weights, '--out', out, *asked)
    assert status == 0 and 'LPIPS' in text and 'VMAF' in text, err
    assert 'Perceptual scores not asked for: DISTS (--dists-weights).' in text
    evaluation = Evaluation.from_file(out / 'evaluation.json')
    assert evaluation.total('a', 'lpips') >= 0 and 0 <= evaluation.total('a', 'vmaf') <= 100


def test_labels():
    assert label_checkpoints(['a/iter_1.pth', 'a/iter_2.pth']) == ['iter_1', 'iter_2']
    assert label_checkpoints(['a/x/iter_1.pth', 'b/x/iter_1.pth']) == ['a/x/iter_1', 'b/x/iter_1']
    assert label_checkpoints(['a/input.pth']) == ['a/input']
    with pytest.raises(LadaError, match='twice'):
        label_checkpoints(['a.pth', './a.pth'])


STOPPED = """
import os, runpy, signal, sys
import lada.inference.evaluate as module
real, calls = module.measure_clip, 0
def measure(*args):
    global calls
    calls += 1
    if calls > 3:
        os.kill(os.getpid(), signal.{signal})
    return real(*args)
module.measure_clip = measure
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
"""


def content(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob('*'))
        if path.is_file()
    }


@pytest.mark.parametrize('name', ['SIGKILL', 'SIGTERM'])
def test_an_evaluation_that_was_stopped_is_continued(
    tmp_path, config, clips, repo_root, run_script_file, name
):
    weights = save_weights(config, tmp_path / 'weights.pth', 0.02)
    command = [
        config,
        weights,
        '--data',
        clips[0],
        '--device',
        'cpu',
        '--pictures',
        '2',
        '--output',
    ]
    assert run_script_file(SCRIPT, *command, tmp_path / 'whole')[0] == 0
    stopped = subprocess.run(
        [
            sys.executable,
            '-c',
            STOPPED.format(signal=name),
            repo_root / 'scripts' / 'evaluation' / SCRIPT,
            *command,
            tmp_path / 'out',
        ],
        capture_output=True,
        text=True,
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
        timeout=100,
    )
    assert stopped.returncode == (-signal.SIGKILL if name == 'SIGKILL' else 143), stopped.stderr
    if name == 'SIGTERM':
        assert 'stopped: nothing is lost: run the same command again' in stopped.stderr
    assert [path.name for path in (tmp_path / 'out').iterdir()] == [JOURNAL]
    # Other settings are another evaluation.
    shutil.copytree(tmp_path / 'out', tmp_path / 'other')
    status, text, _ = run_script_file(SCRIPT, *command, tmp_path / 'other', '--num-clips', '2')
    assert status == 0 and 'continuing' not in text
    status, text, err = run_script_file(SCRIPT, *command, tmp_path / 'out')
    assert status == 0 and 'continuing behind 3 clips' in text, err
    assert content(tmp_path / 'out') == content(tmp_path / 'whole')
