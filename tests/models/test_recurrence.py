import math

import pytest
import torch

from lada.errors import LadaError
from lada.models import BasicVSRPlusPlusNet, recurrence

CPU = torch.device('cpu')


def test_auto_follows_clip_length_and_free_memory(monkeypatch):
    monkeypatch.setattr(recurrence, 'free_memory', lambda device: 1000.0)
    assert recurrence.choose_segment('auto', 7, 100.0, CPU) is None
    assert recurrence.choose_segment('auto', 8, 100.0, CPU) == 3
    assert recurrence.choose_segment('auto', 100, 100.0, CPU) == 10
    assert recurrence.choose_segment(4, 100, 100.0, CPU) == 4
    assert recurrence.choose_segment(None, 10**6, 100.0, CPU) is None
    with torch.no_grad():
        assert recurrence.choose_segment(4, 100, 100.0, CPU) is None


def test_free_memory_is_known_here():
    assert 2**20 < recurrence.free_memory(CPU) < math.inf


@pytest.mark.parametrize('setting', [0, -1, 'always', 1.5, True])
def test_wrong_settings(setting):
    with pytest.raises(LadaError, match='checkpoint_segment'):
        BasicVSRPlusPlusNet(8, 0, checkpoint_segment=setting)


@pytest.mark.parametrize('grad', [True, False])
def test_computes_again_only_when_enabled(grad):
    calls = []

    def double(x):
        calls.append(1)
        return (x * 2).square()

    x = torch.ones(1, requires_grad=True)
    recurrence.maybe_checkpoint(grad, double, x).backward()
    assert len(calls) == (2 if grad else 1)
    assert x.grad.item() == 8


@pytest.mark.parametrize('segment', [None, 1, 2, 3, 9])
def test_states_follow_from_the_last_two(segment):
    seed = torch.ones(1, requires_grad=True)

    def visit(step, last, before):
        return seed + (0 if last is None else last) + (0 if before is None else 2 * before)

    states = recurrence.recur(visit, 5, segment)
    assert [state.item() for state in states] == [1, 2, 5, 10, 21]
    sum(states).backward()
    assert seed.grad.item() == 39  # every state is linear in the seed
