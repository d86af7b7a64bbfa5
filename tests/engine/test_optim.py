import copy

import pytest
import torch

from lada.engine.optim import AutocastOptimWrapper, MultiOptimWrapperConstructor, OptimWrapper
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


class Parts(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.generator = torch.nn.ModuleDict(
            dict(spynet=torch.nn.Linear(2, 2), rest=torch.nn.Linear(3, 3))
        )
        self.discriminator = torch.nn.Linear(4, 4)


def adam(rate: float, **others) -> dict:
    return dict(optimizer=dict(type='Adam', lr=rate), **others)


def rates(wrapper) -> dict[int, float]:
    """Learning rate by the number of a parameter's values; MMEngine adds a placeholder without."""
    return {
        parameter.numel(): group['lr']
        for group in wrapper.param_groups
        for parameter in group['params']
        if parameter.dim()
    }


def test_one_optimizer_for_each_part_name_pattern_or_list():
    def build(config):
        return MultiOptimWrapperConstructor(config)(Parts())

    slow_flow = dict(custom_keys={'spynet': dict(lr_mult=0.25)})
    parts = build(dict(generator=adam(1e-4, paramwise_cfg=slow_flow), discriminator=adam(1e-3)))
    assert rates(parts['generator']) == {4: 2.5e-5, 2: 2.5e-5, 9: 1e-4, 3: 1e-4}
    assert rates(parts['discriminator']) == {16: 1e-3, 4: 1e-3}
    named = build({'generator.spynet': adam(1e-5), 'other': adam(1e-4, modules='.*rest')})
    assert rates(named['generator.spynet']) == {4: 1e-5, 2: 1e-5}
    assert rates(named['other']) == {9: 1e-4, 3: 1e-4}
    one = build(adam(1e-4, modules=['generator.*', 'discriminator'], accumulative_counts=4))
    assert isinstance(one, OptimWrapper) and len(one.param_groups[0]['params']) == 6


@pytest.mark.parametrize(
    ('config', 'said'),
    [
        ({'critic': adam(1.0)}, "optim_wrapper.critic: the model has no part called 'critic'"),
        ({'.*rest': adam(1.0, paramwise_cfg=dict(norm_decay_mult=0))}, 'paramwise_cfg needs'),
        (adam(1.0, modules=['generator', 'no']), "no part called 'no'"),
    ],
)
def test_names_that_no_part_has_are_refused(config, said):
    with pytest.raises(LadaError, match=said):
        MultiOptimWrapperConstructor(config)(Parts())
