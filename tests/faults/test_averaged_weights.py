"""Weights that are averaged while training: used for validation, and the same after a resume."""

import pytest
import torch
from harness import final_state, logged, same, write_config

pytestmark = pytest.mark.slow

SCHEDULE_FREE = """
optim_wrapper = dict(optimizer=dict(
    _delete_=True, type='schedulefree.AdamWScheduleFree', lr=1e-2, warmup_steps=3))
param_scheduler = None
"""
EMA = """
custom_hooks = [dict(type='FaultHook'), dict(type='EMAHook', momentum=0.3)]
"""


def load(run, step=8):
    return torch.load(run / f'iter_{step}.pth', weights_only=False)


@pytest.mark.parametrize(
    ('extra', 'key'), [(SCHEDULE_FREE, 'schedule_free'), (EMA, 'ema_state_dict')]
)
def test_a_resumed_run_is_the_same(tmp_path, clips, server, extra, key):
    whole, killed = tmp_path / 'whole', tmp_path / 'killed'
    run = server.run(write_config(whole, clips, extra))
    assert run.status == 0, run.output
    config = write_config(killed, clips, extra)
    assert server.run(config, fault='forward:6').status != 0
    run = server.run(config)
    assert run.status == 0 and 'continues from iteration' in run.output, run.output
    assert same(final_state(whole), final_state(killed))
    assert same(load(whole)[key], load(killed)[key])
    # Scores are those of the averages, which the checkpoint gives to whoever loads it.
    assert logged(whole) == logged(killed)
    trained = {name.removeprefix('module.'): value for name, value in load(whole)[key].items()}
    used = load(whole)['state_dict']
    assert any(name in trained and not torch.equal(used[name], trained[name]) for name in used)
