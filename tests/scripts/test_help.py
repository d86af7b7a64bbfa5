"""Every script explains itself and refuses what it does not know."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = sorted(Path(__file__).parents[2].glob('scripts/*/*.py'))


@pytest.mark.slow
@pytest.mark.parametrize('script', SCRIPTS, ids=lambda path: path.name)
def test_help_and_wrong_arguments(script, repo_root):
    shown = subprocess.run(
        [sys.executable, script, '--help'], capture_output=True, text=True, cwd=repo_root
    )
    assert shown.returncode == 0
    assert '--debug' in shown.stdout and 'usage:' in shown.stdout
    wrong = subprocess.run(
        [sys.executable, script, '--no-such-option'], capture_output=True, text=True, cwd=repo_root
    )
    assert wrong.returncode == 2
    assert 'Traceback' not in wrong.stderr
