"""Running the scripts; fake_clips.py, beside this file, is made importable for the tests here."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def script(repo_root):
    """Run a script of scripts/dataset_creation; returns the finished process with text output."""

    def run(name: str, *arguments, stdin: str = '', prelude: str = '', timeout: float = 100):
        path = repo_root / 'scripts' / 'dataset_creation' / name
        command = [sys.executable, str(path), *map(str, arguments)]
        if prelude:
            run_it = (
                'import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0],'
                ' run_name="__main__")'
            )
            command = [sys.executable, '-c', f'{prelude}\n{run_it}', *command[1:]]
        return subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            errors='surrogateescape',
            timeout=timeout,
            env={**os.environ, 'OMP_NUM_THREADS': '1'},
        )

    return run


@pytest.fixture
def here(repo_root, monkeypatch, capsys):
    """Run a script as ``script`` does, but in this process, which has imported everything
    already.
    """

    def run(name: str, *arguments):
        path = repo_root / 'scripts' / 'dataset_creation' / name
        monkeypatch.setattr(sys, 'argv', [str(path), *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            runpy.run_path(str(path), run_name='__main__')
        output = capsys.readouterr()
        return subprocess.CompletedProcess(sys.argv, stopped.value.code, output.out, output.err)

    return run
