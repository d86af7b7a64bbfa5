"""The command, where something is missing and where nothing is."""

import os
import re
import subprocess
import sys

import pytest


@pytest.fixture
def doctor(tmp_path, repo_root):
    """Return a function that runs the command with further folders where Python looks first."""

    def doctor(*folders):
        path = os.pathsep.join(map(str, [*folders, repo_root]))
        done = subprocess.run(
            [sys.executable, '-m', 'lada.commands', 'doctor'],
            cwd=tmp_path,
            env={**os.environ, 'PYTHONPATH': path, 'TORCH_HOME': str(tmp_path / 'torch')},
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout, done.stderr

    return doctor


@pytest.mark.slow
def test_a_machine_that_can_train(doctor):
    status, output, errors = doctor()
    assert (status, errors) == (0, '')
    assert re.fullmatch(r'ready to train: 0 problems, \d+ warnings?', output.splitlines()[-1])
    for name in ('Python', 'packages', 'processor', 'codecs', 'disk', 'starter network', 'VGG19'):
        assert re.search(rf'^(ok|warning) +{name}: ', output, re.M), name


@pytest.mark.slow
def test_a_machine_that_cannot(doctor, tmp_path):
    (tmp_path / 'broken').mkdir()
    (tmp_path / 'broken' / 'torch.py').write_text('raise ImportError("libcudart.so.13: not there")')
    status, output, _ = doctor(tmp_path / 'broken')
    assert status == 1
    assert 'problem  torch: cannot be imported: libcudart.so.13: not there' in output
    assert re.search(r'^ +\$ .* -m pip install --force-reinstall --no-deps torch$', output, re.M)
    assert re.search(r'^ok +disk: ', output, re.M)
    assert output.splitlines()[-1].startswith('nothing can be trained: ')


@pytest.mark.slow
def test_another_lada_on_the_path(doctor, tmp_path):
    """Behind this one, as where a wheel of public Lada was installed too."""
    other = tmp_path / 'site'
    (other / 'lada').mkdir(parents=True)
    (other / 'lada' / '__init__.py').write_text('')
    (other / 'sitecustomize.py').write_text(f'import sys; sys.path.append({str(other)!r})')
    (tmp_path / 'start').mkdir()
    (other / 'sitecustomize.py').rename(tmp_path / 'start' / 'sitecustomize.py')
    status, output, _ = doctor(tmp_path / 'start')
    assert status == 0
    assert f'warning  lada: {other}/lada is another one' in output
