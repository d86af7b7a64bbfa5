"""Canaries: MMEngine's private names may move in any release, and stay in one file of ours."""

import ast
import inspect
from pathlib import Path

import mmengine
import pytest
from mmengine.hooks import CheckpointHook
from mmengine.optim import OptimWrapper
from mmengine.runner import IterBasedTrainLoop, Runner, loops

import lada.engine
from lada.engine import mmengine_private

MOVED = (
    f'MMEngine {mmengine.__version__} has moved or changed {{}}: adapt'
    ' lada/engine/mmengine_private.py, which is the only file that uses it'
)


@pytest.mark.parametrize(
    ('owner', 'name', 'arguments'),
    [
        (Runner, '_maybe_compile', ['self', 'target']),
        (IterBasedTrainLoop, '_decide_current_val_interval', ['self']),
        (CheckpointHook, '_save_checkpoint', ['self', 'runner']),
        (CheckpointHook, '_save_checkpoint_with_step', ['self', 'runner', 'step', 'meta']),
        (CheckpointHook, '_save_best_checkpoint', ['self', 'runner', 'metrics']),
        (loops, '_InfiniteDataloaderIterator', ['dataloader']),
    ],
)
def test_methods_are_where_they_were(owner, name, arguments):
    found = getattr(owner, name, None)
    assert found is not None, MOVED.format(f'{owner.__name__}.{name}')
    parameters = list(inspect.signature(found).parameters)
    assert parameters == arguments, MOVED.format(f'{owner.__name__}.{name}')


@pytest.mark.parametrize(
    ('owner', 'names'),
    [
        (Runner, ['_resume', '_has_loaded', '_load_from', '_train_dataloader']),
        (Runner, ['_train_loop', '_val_loop', '_test_loop']),
        (OptimWrapper, ['_accumulative_counts']),
    ],
)
def test_attributes_are_where_they_were(owner, names):
    source = inspect.getsource(owner)
    for name in names:
        assert f'self.{name} ' in source, MOVED.format(f'{owner.__name__}.{name}')


def test_the_hook_knows_directions():
    for name in ('_default_greater_keys', '_default_less_keys'):
        assert hasattr(CheckpointHook, name), MOVED.format(name)


def test_no_other_file_uses_them():
    """What a subclass of ours reads or overrides must not be a private name of its base."""
    private = {
        name
        for base in (Runner, IterBasedTrainLoop, CheckpointHook, OptimWrapper)
        for node in ast.walk(ast.parse(inspect.getsource(base)))
        for name in [getattr(node, 'attr', None) or getattr(node, 'name', None)]
        if isinstance(name, str) and name.startswith('_') and not name.startswith('__')
    }
    assert '_maybe_compile' in private
    own = Path(mmengine_private.__file__)
    for path in Path(lada.engine.__file__).parent.rglob('*.py'):
        if path == own:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            name = getattr(node, 'attr', None) or getattr(node, 'name', None)
            assert name not in private, f'{path.name} uses {name}; put it into {own.name}'
