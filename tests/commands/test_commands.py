"""Commands explain themselves without what they work with."""

import os
import pkgutil
import subprocess
import sys
import zipfile
from functools import partial
from importlib import import_module

import pytest

from lada import commands
from lada.cli import ConfigOption, make_parser
from lada.commands import COMMANDS, create, restore
from lada.video.boxes import COLUMNS

MODULES = [command.module for command in COMMANDS]
HEAVY = {'torch', 'mmengine', 'mmcv', 'cv2', 'numpy', 'av'}


@pytest.mark.parametrize('name', MODULES)
def test_nothing_heavy_is_imported_before_main(name):
    code = (
        f'import sys; from lada.commands import {name}; {name}.build_parser().format_help();'
        f' print(*sorted({HEAVY} & set(sys.modules)))'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout == '\n'


def test_every_command_has_a_name():
    files = {m.name for m in pkgutil.iter_modules(commands.__path__)}
    assert files - {'__main__', 'next_step'} == set(MODULES)
    assert len({command.name for command in COMMANDS}) == len(COMMANDS)


def test_scripts_call_the_commands_they_are_listed_with(repo_root):
    called = {
        path.relative_to(repo_root / 'scripts').as_posix(): path.read_text()
        for path in repo_root.glob('scripts/*/*.py')
    }
    listed = {command.script: command.module for command in COMMANDS if command.script}
    assert set(listed) == set(called)
    for script, module in listed.items():
        assert f'from lada.commands import {module}\n' in called[script]


def test_config_options_are_read_as_mmengine_does():
    parser = make_parser('x')
    parser.add_argument('--cfg-options', nargs='+', action=ConfigOption)
    assert parser.parse_args([]).cfg_options is None
    args = parser.parse_args(['--cfg-options', 'a.b=2', 'c=[1,x]', '--cfg-options', 'd=None'])
    assert args.cfg_options == {'a.b': 2, 'c': [1, 'x'], 'd': None}


@pytest.mark.slow
def test_a_wheel_works_without_the_clone(repo_root, tmp_path):
    """Configs are in it, and every command has a name."""
    wheel = [sys.executable, '-m', 'hatchling', 'build', '-t', 'wheel', '-d', tmp_path / 'wheel']
    subprocess.run(wheel, cwd=repo_root, check=True, capture_output=True)
    (path,) = (tmp_path / 'wheel').glob('*.whl')
    zipfile.ZipFile(path).extractall(tmp_path / 'installed')
    run = partial(
        subprocess.run,
        cwd=tmp_path,
        env={'PATH': os.environ['PATH'], 'PYTHONPATH': str(tmp_path / 'installed')},
        capture_output=True,
        text=True,
    )
    command = [sys.executable, '-m', 'lada.commands']
    usage = run(command)
    assert usage.returncode == 2
    assert all(f'  {command.name} ' in usage.stderr for command in COMMANDS)
    config = 'configs/basicvsrpp/mosaic_restoration_demo_cpu.py'
    tried = run([*command, 'train', config, '--dry-run'])
    assert tried.returncode == 1
    assert 'crop_unscaled_meta' in tried.stderr  # the config was read, its data set is not there
    missing = run([*command, 'train', 'configs/basicvsrpp/other.py', '--dry-run'])
    assert f'in {tmp_path}/installed/lada/configs' in missing.stderr


def test_help_names_the_columns_of_boxes():
    for command in (create, restore):
        assert ', '.join(COLUMNS) in ' '.join(command.build_parser().format_help().split())


@pytest.mark.parametrize(
    ('name', 'arguments', 'old', 'new'),
    [
        ('create', [], '--output-root', '--output'),
        ('create', ['--output', 'x'], '--boxes-file', '--boxes'),
        ('evaluate', ['config.py', 'iter_1.pth'], '--out', '--output'),
        ('plot', ['run'], '--out', '--output'),
        ('preview', ['root'], '--out', '--output'),
    ],
)
def test_old_names_of_options_still_work(name, arguments, old, new):
    parser = import_module(f'lada.commands.{name}').build_parser()
    assert parser.parse_args([*arguments, old, 'y']) == parser.parse_args([*arguments, new, 'y'])
