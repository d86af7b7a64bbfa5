"""docs/reference is what the code says, and the code says something of every key."""

import importlib.util
import inspect
from pathlib import Path

import pytest
from mmengine.runner import Runner

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def writer():
    spec = importlib.util.spec_from_file_location('writer', ROOT / 'dev' / 'write_reference.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize('name', ['configs.md', 'commands.md'])
def test_is_up_to_date(writer, name):
    stale = 'docs/reference is stale: run dev/write_reference.py'
    found = (writer.FOLDER / name).read_text(encoding='utf-8')
    assert found == writer.pages()[name], stale


def test_every_key_of_the_runner_is_explained(writer):
    keys = set(inspect.signature(Runner.__init__).parameters) - {'self', 'cfg'}
    assert keys <= set(writer.TOP_LEVEL_KEYS)


def test_a_key_without_a_meaning_is_told(writer):
    class Silent:
        """Says nothing."""

        def __init__(self, size: int):
            self.size = size

    Silent.__module__ = 'lada.silent'
    with pytest.raises(KeyError, match='size'):
        list(writer.config_keys(Silent))
