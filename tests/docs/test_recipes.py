"""The files and tests that a recipe prints work, put where it says, by the command it ends with."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r'^`(?P<name>[\w.]+)` in `(?P<folder>[\w/]+)`:\n\n```python\n(?P<text>.*?)^```', re.M | re.S)


@pytest.mark.slow
@pytest.mark.parametrize('name', ['degradation', 'score', 'loss'])
def test_recipe_works_as_printed(name, tmp_path):
    for folder in ('lada', 'tests', 'configs'):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns('__pycache__'))
    (tmp_path / 'assets').symlink_to(ROOT / 'assets')
    shutil.copy(ROOT / 'pyproject.toml', tmp_path)
    page = (ROOT / 'docs' / 'recipes' / f'{name}.md').read_text(encoding='utf-8')
    written = []
    for block in BLOCK.finditer(page):
        path = tmp_path / block['folder'] / block['name']
        assert not path.exists()
        path.write_text(block['text'])
        written.append(path)
    assert len(written) == 2
    (command,) = re.findall(r'^\./run_tests\.sh (tests/\S+)$', page, re.M)
    assert written[1].is_relative_to(tmp_path / command)
    environment = {**os.environ, 'PYTHONPATH': str(tmp_path), 'OMP_NUM_THREADS': '1'}
    done = subprocess.run(
        [sys.executable, '-m', 'pytest', '-q', '-m', 'not slow', command],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    lint = [sys.executable, '-m', 'ruff', 'check', '--no-cache', *written]
    assert subprocess.run(lint, cwd=tmp_path, capture_output=True, text=True).returncode == 0
    shape = [sys.executable, '-m', 'ruff', 'format', '--check', '--no-cache', *written]
    assert subprocess.run(shape, cwd=tmp_path, capture_output=True, text=True).returncode == 0
