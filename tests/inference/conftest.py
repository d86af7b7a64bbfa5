"""Scripts run in this process, and a network that costs nothing."""

import runpy
import sys

import pytest
import torch
from torch import nn


class Painter(nn.Module):
    """Returns frames of one colour, and counts its calls."""

    def __init__(self, value=1.0):
        super().__init__()
        self.value, self.calls, self.shapes = value, 0, []

    def forward(self, clip):
        self.calls += 1
        self.shapes.append(tuple(clip.shape))
        return torch.full_like(clip, self.value)


@pytest.fixture
def run_script_file(repo_root, monkeypatch, capsys):
    """Return a function that runs a script in this process: (exit status, stdout, stderr)."""

    def run(script, *args):
        monkeypatch.setattr(sys, 'argv', [script, *map(str, args)])
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(repo_root / 'scripts/evaluation' / script), run_name='__main__')
        return end.value.code, *capsys.readouterr()

    return run


@pytest.fixture
def painter():
    return Painter()
