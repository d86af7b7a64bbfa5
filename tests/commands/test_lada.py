"""The console command."""

import os
import re
import subprocess
import sys
from importlib import metadata

import pytest

import lada
from lada.commands import COMMANDS
from lada.commands.__main__ import main


@pytest.fixture
def run(capsys, monkeypatch):
    """Return a function that runs ``lada`` in this process: ``(status, stdout, stderr)``."""
    monkeypatch.setattr(sys, 'argv', ['/somewhere/bin/lada'])
    monkeypatch.setenv('PATH', '')

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        return ended.value.code, *capsys.readouterr()

    return run


def test_help_lists_every_command_with_what_it_does(run):
    status, output, said = run('--help')
    assert (status, said) == (0, '')
    for command in COMMANDS:
        assert re.search(rf'^  {command.name} +{re.escape(command.summary)}$', output, re.M)
    assert max(map(len, output.splitlines())) <= 80
    assert run('-h')[:2] == (0, output)
    assert run() == (2, '', output)


def test_help_imports_nothing_that_it_does_not_need():
    code = (
        'import runpy, sys; sys.argv[1:] = ["--help"]\n'
        'try: runpy.run_module("lada.commands", run_name="__main__", alter_sys=True)\n'
        'except SystemExit: print(*sorted(m for m in sys.modules if "." not in m), file=sys.stderr)'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    standard = sys.stdlib_module_names | {'lada', '__mp_main__', 'sitecustomize'}
    loaded = {name for name in done.stderr.split() if not name.startswith('_')}
    without = subprocess.run(
        [sys.executable, '-c', 'import sys; print(*sys.modules)'], capture_output=True, text=True
    )
    assert loaded - standard - set(without.stdout.split()) == set()


def test_version(run):
    assert run('--version') == (0, f'lada {lada.__version__}\n', '')


@pytest.mark.parametrize(
    ('name', 'remedy'),
    [
        ('trian', 'did you mean train?'),
        ('evaluation', 'did you mean eval?'),
        ('xyz', '/somewhere/bin/lada --help lists them'),
        ('', None),
    ],
)
def test_an_unknown_command_is_one_line(run, name, remedy):
    status, output, said = run(name)
    assert (status, output) == (2, '')
    if remedy:
        assert said == f'error: no command is called {name!r}; {remedy}\n'


@pytest.mark.parametrize('command', COMMANDS, ids=lambda command: command.name)
def test_usage_names_the_command_as_it_was_called(run, command):
    status, output, _ = run(command.name, '--help')
    assert status == 0
    assert output.startswith(f'usage: /somewhere/bin/lada {command.name} ')


def test_commands_have_their_module_s_name_too(run):
    assert run('evaluate', '--help') == run('eval', '--help')


def test_wrong_arguments_end_with_2(run):
    status, output, said = run('check', '--no-such-option')
    assert (status, output) == (2, '')
    assert 'usage: /somewhere/bin/lada check' in said


def test_the_package_has_the_command(repo_root):
    import tomllib

    project = tomllib.loads((repo_root / 'pyproject.toml').read_text())['project']
    place = metadata.EntryPoint('lada', project['scripts']['lada'], 'console_scripts')
    assert place.load() is main


@pytest.mark.parametrize(
    ('line', 'expected'),
    [
        ('lada tr', {'train'}),
        ('lada convert-t', {'convert-to-stage2', 'convert-trusted'}),
        ('lada train --amp-d', {'--amp-dtype'}),
        ('lada train --amp-dtype f', {'float16'}),
        ('lada clips --input my_', {'my_video.mp4', 'my_videos/'}),
        ('lada completion z', {'zsh'}),
    ],
)
def test_a_shell_is_told_what_may_follow(tmp_path, repo_root, line, expected):
    (tmp_path / 'my_video.mp4').touch()
    (tmp_path / 'my_videos').mkdir()
    environment = {
        **os.environ,
        'PYTHONPATH': str(repo_root),
        '_ARGCOMPLETE': '1',
        '_ARGCOMPLETE_IFS': '\n',
        '_ARGCOMPLETE_STDOUT_FILENAME': str(tmp_path / 'answer'),
        'COMP_LINE': line,
        'COMP_POINT': str(len(line)),
    }
    command = [sys.executable, '-m', 'lada.commands']
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    assert {word.strip() for word in (tmp_path / 'answer').read_text().split('\n')} == expected


@pytest.mark.parametrize('shell', ['bash', 'zsh', 'fish'])
def test_completion_is_for_the_command_called_lada(run, shell):
    status, output, _ = run('completion', shell)
    assert status == 0
    assert 'lada' in output and 'argcomplete' in output.lower()
