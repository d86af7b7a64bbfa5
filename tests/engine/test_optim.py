import copy

import pytest
import torch

from lada.engine.optim import AutocastOptimWrapper, OptimWrapper
from lada.errors import LadaError


def build(kind=AutocastOptimWrapper, **options):
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 3)
    return model, kind(torch.optim.Adam(model.parameters(), 0.01), **options)


def steps(model, wrapper, count, scale=1.0):
    for i in range(count):
        inputs = torch.randn(5, 4, generator=torch.Generator().manual_seed(i))
        with wrapper.optim_context(model):
            output = model(inputs)
        wrapper.update_params(output.float().square().mean() * scale)
    return output


@pytest.mark.parametrize('dtype', ['bfloat16', 'float16'])
def test_forward_in_half_precision_and_weights_near_float32(dtype):
    exact, exact_wrapper = build(OptimWrapper)
    steps(exact, exact_wrapper, 10)
    model, wrapper = build(dtype=dtype)
    output = steps(model, wrapper, 10)
    assert output.dtype == getattr(torch, dtype)
    assert model.weight.dtype == torch.float32
    torch.testing.assert_close(model.weight, exact.weight, atol=0.02, rtol=0)


def test_float16_keeps_gradients_that_would_vanish():
    model, wrapper = build(dtype='float16')
    before = model.weight.detach().clone()
    steps(model, wrapper, 1, scale=1e-7)
    assert not wrapper.skipped
    # Adam's first step is the learning rate wherever there is a gradient.
    assert (model.weight - before).abs().min() > 0.001


def test_float16_overflow_skips_the_step_and_halves_the_scale():
    model, wrapper = build(dtype='float16')
    before = model.weight.detach().clone()
    scale = wrapper.loss_scaler.get_scale()
    steps(model, wrapper, 1, scale=1e4)
    assert wrapper.skipped and torch.equal(model.weight, before)
    assert wrapper.loss_scaler.get_scale() == scale / 2


def test_resumed_run_is_the_same_and_states_fit_every_precision():
    whole, wrapper = build(dtype='float16')
    steps(whole, wrapper, 1, scale=1e4)
    state, weights = copy.deepcopy(wrapper.state_dict()), copy.deepcopy(whole.state_dict())
    resumed, other = build(dtype='float16')
    resumed.load_state_dict(weights)
    other.load_state_dict(copy.deepcopy(state))
    for model, optim_wrapper in ((whole, wrapper), (resumed, other)):
        steps(model, optim_wrapper, 3)
    assert torch.equal(whole.weight, resumed.weight)
    for kind, options in ((OptimWrapper, {}), (AutocastOptimWrapper, {})):
        model, optim_wrapper = build(kind, **options)
        optim_wrapper.load_state_dict(copy.deepcopy(state))
        plain = copy.deepcopy(optim_wrapper.state_dict())
        build(dtype='float16')[1].load_state_dict(plain)


def test_other_types_are_refused():
    with pytest.raises(LadaError, match='float8'):
        build(dtype='float8')
