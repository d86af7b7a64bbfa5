"""The recording in the README shows what the commands do today."""

import importlib
import json
import re
import shlex
import sys

import pytest

from lada.commands import COMMANDS

CONTROL = re.compile(r'\x1b\[[0-9;?]*[a-zA-Z]')


@pytest.fixture(scope='module')
def recorder(repo_root):
    sys.path.insert(0, str(repo_root / 'dev'))
    yield importlib.import_module('record_journey')
    sys.path.pop(0)


@pytest.fixture(scope='module')
def cast(repo_root):
    return (repo_root / 'docs/pictures/journey.cast').read_text()


def shown(cast):
    """Return all that the terminal got, without colours and movements."""
    events = [json.loads(line)[2] for line in cast.splitlines()[1:]]
    return CONTROL.sub('', ''.join(events)).replace('\r', '\n')


def hints(cast):
    """Return the lines that say what comes next, whatever their numbers."""
    return [re.sub(r'\d+', '0', line) for line in re.findall(r'^next: .*', shown(cast), re.M)]


def test_the_commands_are_those_of_today(recorder, cast, repo_root):
    assert re.findall(r'^\$ (\S.*)', shown(cast), re.M) == list(recorder.STEPS)
    for step in recorder.STEPS:
        program, name, *arguments = shlex.split(step)
        if program == 'lada':
            [command] = (each for each in COMMANDS if each.name == name)
            module = importlib.import_module(f'lada.commands.{command.module}')
            module.build_parser().parse_args(arguments)
    assert not re.search(rf'/tmp/|/root|{repo_root}', cast)


def test_the_readme_shows_it(repo_root):
    picture = (repo_root / 'docs/pictures/journey.svg').read_text()
    assert 'restored.mp4' in picture
    for page, path in (('README.md', 'docs/'), ('docs/zh-CN/README.md', '../')):
        assert f']({path}pictures/journey.svg)' in (repo_root / page).read_text()


@pytest.mark.slow
def test_a_recording_of_today_says_the_same(recorder, cast, tmp_path):
    fresh, statuses = recorder.record(tmp_path, iterations=4)
    assert not any(statuses), shown(fresh.text())
    assert 'because of SIGINT' in shown(fresh.text())
    assert 'no batch is replayed' in shown(fresh.text())
    assert hints(fresh.text()) == hints(cast)
    assert (tmp_path / 'restored.mp4').stat().st_size > 10_000
