"""Refused checkpoints: what they say, and making a safe file of a trusted one."""

import argparse
import runpy
import sys
from collections import OrderedDict
from pathlib import Path

import pytest
import torch

from lada.checkpoints.converting import convert_trusted_checkpoint, unsafe_types
from lada.checkpoints.reading import load_weights_file
from lada.errors import LadaError


class Command:
    def __init__(self, trap):
        self.trap = trap

    def __reduce__(self):
        return exec, (f'open({str(self.trap)!r}, "w").close()',)


@pytest.fixture
def call(repo_root, monkeypatch, capsys):
    def call(*args):
        script = str(repo_root / 'scripts/training/convert-trusted-checkpoint.py')
        monkeypatch.setattr(sys, 'argv', [script, *map(str, args)])
        with pytest.raises(SystemExit) as stop:
            runpy.run_path(script, run_name='__main__')
        return stop.value.code, *capsys.readouterr()

    return call


def test_a_command_is_named_and_not_run(tmp_path, call):
    trap, path = tmp_path / 'trap', tmp_path / 'iter_1.pth'
    torch.save(dict(state_dict={}, x=Command(trap)), path)
    with pytest.raises(LadaError, match=r'holds \S*exec, .*convert-trusted-checkpoint\.py'):
        load_weights_file(path)
    assert any('exec' in name for name in unsafe_types(path))
    status, out, err = call(path, tmp_path / 'safe.pth')
    assert status == 1 and 'exec' in out and '--i-trust-this-file' in err
    assert not trap.exists() and not (tmp_path / 'safe.pth').exists()


def test_a_trusted_file_is_converted(tmp_path, call):
    path, safe = tmp_path / 'foreign.pth', tmp_path / 'safe.pth'
    weights = OrderedDict(w=torch.nn.Parameter(torch.ones(2, 3)))
    torch.save(
        dict(
            state_dict=weights,
            meta=dict(args=argparse.Namespace(lr=1), folder=Path('x'), epoch=3),
            optimizer=dict(steps=[1, 2.5, None], betas=(0.9, 0.99)),
        ),
        path,
    )
    with pytest.raises(LadaError, match=r'Namespace|Path'):
        load_weights_file(path)
    status, out, err = call(path, safe, '--i-trust-this-file')
    assert status == 0, err
    assert 'left out: meta.args (argparse.Namespace)' in out and 'left out: meta.folder' in out
    content = load_weights_file(safe)
    assert torch.equal(content['state_dict']['w'], torch.ones(2, 3))
    assert content['meta'] == dict(epoch=3)
    assert content['optimizer'] == dict(steps=[1, 2.5, None], betas=(0.9, 0.99))

    status, _, err = call(path, safe, '--i-trust-this-file')
    assert status == 1 and '--overwrite' in err


def test_no_checkpoint_at_all(tmp_path, call):
    (tmp_path / 'x.pth').write_bytes(b'hello')
    with pytest.raises(LadaError, match='no checkpoint'):
        unsafe_types(tmp_path / 'x.pth')
    with pytest.raises(LadaError, match='cannot be loaded'):
        convert_trusted_checkpoint(tmp_path / 'x.pth', tmp_path / 'y.pth')
    assert call(tmp_path / 'nowhere.pth', tmp_path / 'y.pth')[0] == 1
    assert not (tmp_path / 'y.pth').exists()
