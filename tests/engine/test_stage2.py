"""Stage 2 through the training script: two optimizers, averaged weights, killed and resumed, on two
processes.
"""

import json
import time

import pytest
import torch
from mmengine.config import Config
from torchvision.models import vgg11

from lada.checkpoints.exporting import convert_to_stage2

STAGE2 = """
model = dict(
    _delete_=True,
    type='BasicVSRPlusPlusGan',
    generator=dict(type='BasicVSRPlusPlusGanNet', mid_channels=8, num_blocks=1, head_channels=8,
                   deform_groups=4),
    discriminator=dict(type='UNetDiscriminatorWithSpectralNorm', in_channels=3, mid_channels=4),
    pixel_loss=dict(type='CharbonnierLoss', loss_weight=1.0, reduction='mean'),
    perceptual_loss=dict(type='PerceptualLoss', layer_weights={'0': 1.0}, vgg_type='vgg11',
                         perceptual_weight=0.2, style_weight=0, norm_img=False, pretrained=%r),
    gan_loss=dict(type='GANLoss', gan_type='vanilla', loss_weight=0.05),
    is_use_ema=True,
    data_preprocessor=dict(type='DataPreprocessor', mean=[0., 0., 0.], std=[255., 255., 255.]))
train_cfg = dict(max_iters=4, val_interval=4)
optim_wrapper = dict(
    _delete_=True,
    constructor='MultiOptimWrapperConstructor',
    generator=dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-3)),
    discriminator=dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-3)))
param_scheduler = dict(_delete_=True, type='LinearLR', by_epoch=False, start_factor=0.1, end=4)
model_wrapper_cfg = dict(_delete_=True, type='MMSeparateDistributedDataParallel')
custom_hooks = [dict(type='ExponentialMovingAverageHook', module_keys='generator_ema', interval=1,
                     interp_cfg=dict(momentum=0.5))]
"""


@pytest.fixture
def vgg_weights(tmp_path):
    torch.manual_seed(0)
    weights = tmp_path / 'vgg.pth'
    torch.save(
        {
            f'features.{key}': value
            for key, value in vgg11(weights=None).features[:1].state_dict().items()
        },
        weights,
    )
    return weights


@pytest.fixture
def stage2(vgg_weights, write_config):
    return lambda work_dir: write_config(work_dir, STAGE2 % str(vgg_weights))


def end_state(work_dir):
    checkpoint = torch.load(work_dir / 'iter_4.pth', weights_only=False)
    return (checkpoint['state_dict'], checkpoint['optimizer']), checkpoint['param_schedulers']


def logged(work_dir):
    found = {}
    for path in sorted(work_dir.glob('*/vis_data/scalars.json')):
        for line in path.read_text().splitlines():
            entry = json.loads(line)
            if 'loss_gan' in entry:
                found[entry['step']] = {
                    key: value for key, value in entry.items() if 'loss' in key or 'lr' in key
                }
    return found


@pytest.mark.slow
@pytest.mark.parametrize('ranks', [1, 2])
def test_a_killed_run_is_the_run_that_never_was(
    tmp_path, stage2, run_training, start_training, ranks
):
    status, _, err = run_training(stage2(tmp_path / 'whole'), ranks=ranks)
    assert status == 0, err
    config = stage2(tmp_path / 'killed')
    process = start_training(config, ranks=ranks)
    while not (tmp_path / 'killed' / 'iter_2.pth').exists():
        assert process.lives(), process.end()
        time.sleep(0.05)
    process.kill()
    status, _, err = run_training(config, ranks=ranks)
    assert status == 0, err
    whole, killed = (end_state(tmp_path / name) for name in ('whole', 'killed'))
    torch.testing.assert_close(killed[0], whole[0], rtol=0, atol=0)
    assert killed[1] == whole[1]
    assert logged(tmp_path / 'whole') == logged(tmp_path / 'killed')
    assert len(logged(tmp_path / 'whole')) == 4

    state = whole[0][0]
    assert not any('.module.' in key for key in state)
    assert {key.split('.')[0] for key in state} == {
        'generator',
        'generator_ema',
        'discriminator',
        'perceptual_loss',
        'step_counter',
    }
    assert any(
        not torch.equal(state[key], state[key.replace('generator.', 'generator_ema.')])
        for key in state
        if key.startswith('generator.')
    )


RECIPE = """
_base_ = %r
work_dir = %r
model = dict(
    generator=dict(mid_channels=8, num_blocks=1, head_channels=8, deform_groups=4),
    discriminator=dict(mid_channels=4),
    perceptual_loss=dict(layer_weights={'_delete_': True, '0': 1.0}, vgg_type='vgg11',
                         pretrained=%r))
small = dict(num_workers=0, persistent_workers=False, batch_size=1)
train_dataloader = dict(**small, dataset=dict(metadata_root_dir=%r, num_frame=2))
val_dataloader = dict(**small, dataset=dict(metadata_root_dir=%r, num_frame=2))
train_cfg = dict(max_iters=1, val_interval=1)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ('stage', 'perceptual', 'adversarial', 'frames'),
    [('2', 0.2, 0.05, 16), ('2_5', 1.0, 0.1, 16), ('2_6', 1.0, 0.1, 26)],
)
def test_the_shipped_recipes_train(
    tmp_path, repo_root, clips, vgg_weights, run_training, stage, perceptual, adversarial, frames
):
    recipe = repo_root / f'configs/basicvsrpp/mosaic_restoration_generic_stage{stage}.py'
    shipped = Config.fromfile(recipe)
    assert shipped.model.perceptual_loss.perceptual_weight == perceptual
    assert shipped.model.gan_loss.loss_weight == adversarial
    assert shipped.train_dataloader.dataset.num_frame == frames
    run, config = tmp_path / 'run', tmp_path / 'config.py'
    folders = [str(folder) for folder in clips]
    config.write_text(RECIPE % (str(recipe), str(run), str(vgg_weights), *folders))
    status, out, err = run_training(config, '--dry-run')
    assert status == 0 and 'train_dataloader: 5 clips' in out, err
    assert not run.exists()
    status, _, err = run_training(config)
    assert status == 0, err
    assert (run / 'iter_1.pth').exists()


@pytest.mark.slow
def test_from_stage_1_to_stage_2(tmp_path, stage2, write_config, plain_network, run_training):
    status, _, err = run_training(
        write_config(tmp_path / 'one', plain_network), '--cfg-options', 'train_cfg.max_iters=2'
    )
    assert status == 0, err
    first = tmp_path / 'one' / 'iter_2.pth'
    convert_to_stage2(first, tmp_path / 'converted.pth')
    for number, start in enumerate([first, tmp_path / 'converted.pth']):
        status, _, err = run_training(
            stage2(tmp_path / f'two{number}'),
            '--load-from',
            start,
            '--amp',
            '--cfg-options',
            'train_cfg.max_iters=1',
            'optim_wrapper.generator.optimizer.lr=0',
            'default_hooks.checkpoint.interval=1',
        )
        assert status == 0, err
        before = torch.load(first, weights_only=False)['state_dict']
        after = torch.load(tmp_path / f'two{number}' / 'iter_1.pth', weights_only=False)[
            'state_dict'
        ]
        generator = {key: value for key, value in before.items() if key.startswith('generator.')}
        assert all(torch.equal(value, after[key]) for key, value in generator.items())
        assert all(
            torch.equal(value, after[key.replace('generator', 'generator_ema')])
            for key, value in generator.items()
        )


def test_the_stage_2_config(repo_root):
    config = Config.fromfile(repo_root / 'configs/basicvsrpp/mosaic_restoration_generic_stage2.py')
    assert set(config.optim_wrapper) == {'constructor', 'generator', 'discriminator'}
    assert config.model.type == 'BasicVSRPlusPlusGan' and 'train_cfg' not in config.model
    assert (
        config.train_dataloader.dataset.num_frame == 16 and config.train_dataloader.dataset.degrade
    )
    assert config.model_wrapper_cfg == dict(type='MMSeparateDistributedDataParallel')
    assert config.train_cfg.max_iters == 150_000 and config.train_cfg.val_interval == 4_000


@pytest.mark.parametrize(('stage', 'frames', 'batch'), [('2_5', 16, 2), ('2_6', 26, 1)])
def test_later_stages_differ_in_their_losses_and_clips(repo_root, stage, frames, batch):
    folder = repo_root / 'configs/basicvsrpp'
    first = Config.fromfile(folder / 'mosaic_restoration_generic_stage2.py')
    config = Config.fromfile(folder / f'mosaic_restoration_generic_stage{stage}.py')
    assert config.work_dir.endswith(f'stage{stage}')
    assert config.model.perceptual_loss.pop('perceptual_weight') == 1.0
    assert config.model.gan_loss.pop('loss_weight') == 0.1
    first.model.perceptual_loss.pop('perceptual_weight')
    first.model.gan_loss.pop('loss_weight')
    assert config.model == first.model and config.train_cfg == first.train_cfg
    loader = config.train_dataloader
    assert (loader.dataset.num_frame, loader.batch_size) == (frames, batch)
