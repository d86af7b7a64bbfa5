import logging

import pytest
import torch

from lada.engine import compiling
from lada.engine.compiling import compile_or_fall_back


@pytest.fixture
def said(monkeypatch):
    lines = []
    monkeypatch.setattr(
        compiling, 'print_log', lambda text, **kwargs: lines.append((text, kwargs['level']))
    )
    return lines


def broken(graph, inputs):
    raise RuntimeError('no such compiler\nand more')


def test_what_cannot_be_compiled_runs_as_it_is(said):
    double = compile_or_fall_back(lambda x: 2 * x, backend=broken)
    for _ in range(3):
        assert torch.equal(double(torch.ones(2)), torch.full((2,), 2.0))
    assert len(said) == 1 and said[0][1] == logging.WARNING
    assert 'no such compiler' in said[0][0] and '\n' not in said[0][0]


def test_unknown_backend_falls_back(said):
    double = compile_or_fall_back(lambda x: 2 * x, backend='no-such-backend')
    assert torch.equal(double(torch.ones(2)), torch.full((2,), 2.0))
    assert len(said) == 1


def test_compiled_function_is_used(said):
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    double = compile_or_fall_back(lambda x: 2 * x, backend=backend)
    for _ in range(2):
        assert torch.equal(double(torch.ones(2)), torch.full((2,), 2.0))
    assert len(graphs) == 1 and not said


def test_the_functions_own_error_is_raised():
    def wrong(x):
        raise ValueError('wrong shape')

    with pytest.raises(ValueError, match='wrong shape'):
        compile_or_fall_back(wrong, backend='eager')(torch.ones(1))
