"""What a command says comes next can be typed as it stands."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from lada.commands.next_step import near, say_next

SCRIPT = 'scripts/dataset_creation/create-mosaic-restoration-dataset.py'
CHECK = 'scripts/dataset_creation/check-dataset.py'


@pytest.fixture
def bin_folder(tmp_path, monkeypatch):
    """A folder of $PATH in which a program ``lada`` is, while the current folder is another."""
    folder = tmp_path / 'bin'
    folder.mkdir()
    (folder / 'lada').write_text('#!/bin/sh\n')
    (folder / 'lada').chmod(0o755)
    monkeypatch.setenv('PATH', str(folder))
    (tmp_path / 'here').mkdir()
    monkeypatch.chdir(tmp_path / 'here')
    return folder


@pytest.fixture
def said(capsys, monkeypatch):
    """Return a function that gives the line said by a process that was started like that."""

    def said(started, *arguments, python='/usr/bin/some-python', **variables):
        monkeypatch.setattr(sys, 'argv', [str(started)])
        monkeypatch.setattr(sys, 'executable', python)
        say_next(*arguments, **variables)
        output, line = capsys.readouterr()
        assert output == ''
        return line.removesuffix('\n')

    return said


def test_lada_is_called_as_it_was(bin_folder, said, monkeypatch):
    assert said(bin_folder / 'lada', 'check', 'clips') == 'next: lada check clips'
    monkeypatch.setenv('PATH', '')
    assert said(bin_folder / 'lada', 'check', 'clips') == f'next: {bin_folder}/lada check clips'
    monkeypatch.chdir(bin_folder.parent)
    assert said('bin/lada', 'check', 'clips') == 'next: bin/lada check clips'


def test_a_script_names_the_script(bin_folder, said, repo_root, monkeypatch):
    line = said(repo_root / SCRIPT, 'check', 'clips')
    assert line == f'next: /usr/bin/some-python {repo_root / CHECK} clips'
    monkeypatch.chdir(repo_root)
    python = str(repo_root / '.venv/bin/python')
    assert said(SCRIPT, 'check', 'x', python=python) == f'next: .venv/bin/python {CHECK} x'
    monkeypatch.chdir(repo_root / SCRIPT.rpartition('/')[0])
    line = said('create-mosaic-restoration-dataset.py', 'check', 'clips', python=python)
    assert line == f'next: {python} check-dataset.py clips'


def test_a_module_names_the_module(bin_folder, said):
    line = said('/x/lada/commands/__main__.py', 'eval', 'a.py', 'run')
    assert line == 'next: /usr/bin/some-python -m lada.commands eval a.py run'


def test_paths_are_quoted(bin_folder, said):
    line = said(bin_folder / 'lada', 'train', Path("it's mine"), LADA_DATA_ROOT=Path('a b'))
    assert shlex.split(line) == ['next:', 'LADA_DATA_ROOT=a b', 'lada', 'train', "it's mine"]


def test_nothing_is_said_to_who_takes_the_step_already(bin_folder, said, monkeypatch):
    monkeypatch.setenv('LADA_NEXT', 'no')
    assert said(bin_folder / 'lada', 'check', 'clips') == ''


def test_paths_below_the_current_folder_are_short(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert near(tmp_path / 'a' / 'b') == Path('a/b') == near('a/b')
    assert near('/elsewhere/a') == Path('/elsewhere/a')


@pytest.mark.slow
def test_each_step_runs_as_the_one_before_says(tmp_path, repo_root):
    """From videos to a restored clip; what is added to a line only makes it short."""
    environment = {**os.environ, 'PYTHONPATH': str(repo_root), 'OMP_NUM_THREADS': '1'}
    environment.pop('LADA_NEXT', None)
    shorter = {
        'split': '--yes',
        'train': '--cfg-options train_cfg.max_iters=1 train_cfg.val_interval=1'
        ' train_dataloader.dataset.num_frame=2 val_dataloader.dataset.num_frame=2',
        'eval': '--num-clips 1',
    }
    line = f"lada.commands clips --input {repo_root}/assets/sample_videos --output 'my clips'"
    line = f'{shlex.quote(sys.executable)} -m {line} --max-frames 40 --workers 1'
    steps = []
    while line:
        steps.append(line.partition(' -m lada.commands ')[2].split()[0])
        done = subprocess.run(
            f'{line} {shorter.get(steps[-1], "")}',
            shell=True,
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        lines = [each for each in done.stderr.splitlines() if each.startswith('next: ')]
        assert len(lines) <= 1 and 'next: ' not in done.stdout
        line = lines[0].removeprefix('next: ') if lines else ''
    assert steps == ['clips', 'check', 'split', 'train', 'eval', 'restore']
    (restored,) = tmp_path.glob('experiments/my clips/evaluation/*-compare.mp4')
    assert restored.stat().st_size


def test_json_is_followed_by_nothing(tmp_path, repo_root, clips):
    command = [sys.executable, '-m', 'lada.commands', 'check', clips[0].parent, '--workers', '1']
    environment = {**os.environ, 'PYTHONPATH': str(repo_root)}
    for option, expected in (['--json'], False), ([], True):
        done = subprocess.run(
            [*command, *option], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode in (0, 1)
        assert ('next: ' in done.stderr) == expected
