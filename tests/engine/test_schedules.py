"""A changed learning rate or schedule holds when a run is resumed."""

import json

import pytest
import torch
from mmengine.optim import CosineAnnealingLR, LinearLR

from lada.engine.schedules import changes, fast_forward, settings


def cosine(length, lr=1e-3):
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    return optimizer, CosineAnnealingLR(optimizer, T_max=length, by_epoch=False, eta_min=1e-5)


def test_fast_forward_is_where_a_run_would_be():
    (slow, scheduler), (fast, other) = cosine(20), cosine(20)
    for _ in range(7):
        slow.step()
        scheduler.step()
    fast_forward([other], 7)
    assert fast.param_groups[0]['lr'] == slow.param_groups[0]['lr']


def test_only_settings_are_changes():
    _, a = cosine(20)
    _, b = cosine(20)
    fast_forward([a], 5)
    assert changes(settings([a.state_dict()]), settings({'g': [b.state_dict()]})) == ''
    _, c = cosine(30, lr=1e-4)
    told = changes(settings([c.state_dict()]), settings([a.state_dict()]))
    assert told == 'T_max 20 -> 30, lr 0.001 -> 0.0001'
    linear = LinearLR(cosine(3)[0], start_factor=0.5, end=4, by_epoch=False)
    assert changes(settings([linear.state_dict()]), settings([a.state_dict()])) == (
        'other schedulers'
    )
    assert changes(settings(None), settings([])) == ''


def rates(work_dir):
    entries = [
        json.loads(line)
        for path in sorted(work_dir.glob('*/vis_data/scalars.json'))
        for line in path.read_text().splitlines()
    ]
    return {entry['step']: entry['base_lr'] for entry in entries if 'base_lr' in entry}


@pytest.mark.slow
def test_a_longer_run_follows_the_longer_schedule(tmp_path, write_config, run_training):
    config = write_config(tmp_path / 'run')
    short = ['train_cfg.max_iters=3', 'param_scheduler.T_max=3', 'train_cfg.val_interval=99']
    status, _, err = run_training(config, '--cfg-options', *short)
    assert status == 0, err
    longer = ['train_cfg.max_iters=6', 'param_scheduler.T_max=6', 'train_cfg.val_interval=99']
    status, out, err = run_training(config, '--cfg-options', *longer)
    assert status == 0, err
    assert 'T_max 3 -> 6' in out + err
    whole = write_config(tmp_path / 'whole')
    status, _, err = run_training(whole, '--cfg-options', *longer)
    assert status == 0, err
    expected = rates(tmp_path / 'whole')
    for step in (4, 5, 6):
        assert rates(tmp_path / 'run')[step] == pytest.approx(expected[step], rel=1e-4)
