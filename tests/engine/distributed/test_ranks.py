"""Several ranks compute what one process computes on the whole batch."""

import importlib.util
from pathlib import Path

import pytest
import torch
from harness import free_port

JOBS = Path(__file__).with_name('rank_jobs.py')
pytestmark = pytest.mark.slow


def load_jobs():
    spec = importlib.util.spec_from_file_location('rank_jobs', JOBS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def config(tmp_path_factory, clips, repo_root):
    path = tmp_path_factory.mktemp('ranks') / 'config.py'
    demo = repo_root / 'configs/basicvsrpp/mosaic_restoration_demo_cpu.py'
    path.write_text(f"""
_base_ = {str(demo)!r}
model = dict(
    generator=dict(_delete_=True, type='MosaicGuidedNet', mid_channels=8, num_blocks=1,
                   head_channels=4, deform_groups=4, flow_channels=(4, 4, 4, 4)),
    train_cfg=dict(fix_iter=2))
train_dataloader = dict(dataset=dict(metadata_root_dir={str(clips[0])!r}, num_frame=2))
val_dataloader = dict(dataset=dict(metadata_root_dir={str(clips[0])!r}, num_frame=2))
default_hooks = dict(checkpoint=dict(out_dir=None), logger=dict(interval=1))
""")
    return path


@pytest.fixture(scope='module')
def one(config):
    return load_jobs().all_jobs(config, config.parent / 'one')


def run_ranks(count, config, server):
    port, output = str(free_port()), config.parent / f'ranks{count}.pt'
    ranks = [
        server.start(
            output,
            config,
            script=JOBS,
            RANK=str(rank),
            LOCAL_RANK=str(rank),
            WORLD_SIZE=str(count),
            MASTER_ADDR='127.0.0.1',
            MASTER_PORT=port,
        )
        for rank in range(count)
    ]
    assert [rank.wait() for rank in ranks] == [0] * count, [rank.output for rank in ranks]
    return torch.load(output, weights_only=False)


@pytest.fixture(scope='module')
def two(config, server):
    return run_ranks(2, config, server)


def assert_close_to_largest(found, expected, tolerance):
    """Compare tensor by tensor on the scale of the largest value of all.

    The flow network's gradients are six orders of magnitude below the generator's largest: relative
    to themselves they say how sums were rounded, not whether they are right.
    """
    assert found.keys() == expected.keys()
    scale = max(value.abs().max().item() for value in expected.values())
    worst = max((found[key] - expected[key]).abs().max().item() for key in expected)
    assert worst <= tolerance * scale, f'{worst} of {scale}'


@pytest.mark.parametrize(
    'job', ['searching', 'rewrapping', 'accumulated', 'accumulated_rewrapping']
)
def test_gradients_in_double_precision(one, two, job):
    assert len(two[job]) == len(one[job]) == (4 if 'acc' not in job else 2)
    for found, expected in zip(two[job], one[job], strict=True):
        assert_close_to_largest(found, expected, 1e-12)
        # Here the flow network's own scale serves, too.
        flow = [key for key in expected if 'spynet' in key]
        if flow:
            assert_close_to_largest(
                {key: found[key] for key in flow}, {key: expected[key] for key in flow}, 1e-8
            )


def test_gradients_in_single_precision(one, two):
    for found, expected in zip(two['single'], one['single'], strict=True):
        # Another batch size rounds otherwise; kinks (the loss at zero error, rectifiers) turn that
        # into small jumps.
        assert_close_to_largest(found, expected, 2e-3)


def test_the_flow_network_is_frozen_then_trained(one):
    for job in ('searching', 'rewrapping', 'single'):
        assert [any('spynet' in key for key in step) for step in one[job]] == [
            False,
            False,
            True,
            True,
        ]


def test_adversarial_and_averaged_weights(one, two):
    assert_close_to_largest(two['adversarial'], one['adversarial'], 1e-9)
    assert any(key.startswith('generator_ema') for key in one['adversarial'])


def test_a_whole_run(one, two):
    one, two = one['run'], two['run']
    assert two['samples'] == one['samples'] == 4 * 2
    assert two['lr'] == one['lr'] == pytest.approx(0.4 * 2 * 2 / 16)
    assert_close_to_largest(two['weights'], one['weights'], 1e-5)


def test_the_slow_rank_is_named(one, two):
    one, two = one['run']['speed'], two['run']['speed']
    assert two['slowest_rank'] == 1 and two['slowest_lag_percent'] > 0
    assert 'slowest_rank' not in one
    for speed in (one, two):
        assert (
            speed['clips_per_s'] > 0
            and speed['step_s'] >= 0.5
            and 0 <= speed['data_wait_percent'] <= 100
        )
        assert speed['memory_mb'] > 10


def test_rewrapping_and_resuming_it_change_no_bit(two):
    whole = two['boundary'].pop('searching')
    assert len(two['boundary']) == 3
    for found in two['boundary'].values():
        assert found.keys() == whole.keys()
        assert all(torch.equal(found[key], whole[key]) for key in whole)


def test_validation_of_five_clips(one, two, config, server):
    assert len(one['scores']) > 5 and 'PSNR' in one['scores']
    assert two['scores'] == one['scores']
    assert run_ranks(3, config, server)['scores'] == one['scores']
