"""Which checkpoint a start and a restart begin with, and what is moved out of the way."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from lada.engine.train import TrainOptions, _decide_start, choose_checkpoint


@pytest.fixture
def run(tmp_path):
    for step in (2, 4, 6):
        torch.save(dict(step=step), tmp_path / f'iter_{step}.pth')
    return Config(dict(work_dir=str(tmp_path)))


def start(run, restarted, **options):
    return _decide_start(run, TrainOptions('config.py', **options), restarted)


def left(run):
    return sorted(path.name for path in Path(run.work_dir).glob('iter_*'))


def test_the_newest_unless_asked_otherwise(run, tmp_path):
    assert start(run, False) == tmp_path / 'iter_6.pth'
    assert start(run, False, resume_from=str(tmp_path / 'iter_6.pth')) == tmp_path / 'iter_6.pth'
    assert left(run) == ['iter_2.pth', 'iter_4.pth', 'iter_6.pth']


def test_what_lies_beyond_the_start_is_another_run(run, tmp_path):
    given = str(tmp_path / 'iter_2.pth')
    assert choose_checkpoint(run, TrainOptions('config.py', resume_from=given)) == Path(given)
    assert left(run) == ['iter_2.pth', 'iter_4.pth', 'iter_6.pth']
    assert start(run, False, resume_from=given) == Path(given)
    assert left(run) == ['iter_2.pth']
    assert len(list(tmp_path.glob('previous_*/iter_*.pth'))) == 2


@pytest.mark.parametrize('options', [dict(resume=False), dict(resume_from='iter_2.pth')])
def test_a_restart_continues_the_job_itself(run, tmp_path, options):
    if 'resume_from' in options:
        options = dict(resume_from=str(tmp_path / options['resume_from']))
    first = start(run, False, **options)
    assert first == (Path(options['resume_from']) if 'resume_from' in options else None)
    assert start(run, True, **options) == first
    torch.save(dict(step=3), tmp_path / 'iter_3.pth')
    assert start(run, True, **options) == tmp_path / 'iter_3.pth'
