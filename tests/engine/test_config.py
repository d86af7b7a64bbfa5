"""Mistakes in configs end in one clear line."""

import os

import pytest

from lada.engine.config import load_config
from lada.engine.train import TrainOptions, checkpoint_folders, prepare_config
from lada.errors import LadaError

STAGE1 = 'configs/basicvsrpp/mosaic_restoration_generic_stage1.py'


@pytest.fixture(autouse=True)
def _in_repo(repo_root, monkeypatch):
    monkeypatch.chdir(repo_root)


def test_stage1_has_the_recipe_s_values(monkeypatch):
    monkeypatch.setenv('LADA_DATA_ROOT', '/data/my clips')
    config = load_config(STAGE1)
    assert config.model.train_cfg.fix_iter == 2000
    assert (config.train_cfg.max_iters, config.train_cfg.val_interval) == (30_000, 3_000)
    assert config.default_hooks.checkpoint.interval == 1500
    assert config.default_hooks.checkpoint.out_dir == config.save_dir
    assert config.default_hooks.logger.interval == 50
    assert (config.train_dataloader.batch_size, config.train_dataloader.persistent_workers) == (
        2,
        True,
    )
    assert (config.train_dataloader.dataset.num_frame, config.train_dataloader.dataset.lq_size) == (
        30,
        256,
    )
    assert config.train_dataloader.dataset.metadata_root_dir == '/data/my clips/crop_unscaled_meta'
    assert (
        config.val_dataloader.dataset.metadata_root_dir
        == 'datasets/mosaic_removal_vid_val/crop_unscaled_meta'
    )
    assert config.optim_wrapper.optimizer == dict(type='Adam', lr=1e-4, betas=(0.9, 0.99))
    assert config.optim_wrapper.paramwise_cfg.custom_keys.spynet.lr_mult == 0.25
    assert config.randomness == dict(seed=42, deterministic=False, diff_rank_seed=True)
    assert config.model_wrapper_cfg == dict(
        type='MMDistributedDataParallel', find_unused_parameters=True
    )
    assert config.resume is False and config.load_from is None
    assert (config.model.generator.mid_channels, config.model.generator.num_blocks) == (64, 15)


@pytest.mark.parametrize(
    ('option', 'said'),
    [
        ({'train_cfgg.max_iters': 3}, "did you mean 'train_cfg'"),
        ({'zzz': 3}, "unknown config key 'zzz'"),
    ],
)
def test_an_option_for_an_unknown_key(option, said):
    with pytest.raises(LadaError, match=said):
        load_config(STAGE1, option)


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('train_dataloder = dict()', "did you mean 'train_dataloader'"),
        ('model = dict(', 'cannot be read'),
        ('model = dict(type="BasicVSR")', "has no 'train_dataloader'"),
    ],
)
def test_a_config_with_a_mistake(tmp_path, text, said):
    path = tmp_path / 'c.py'
    path.write_text(text + '\n')
    with pytest.raises(LadaError, match=said):
        prepare_config(TrainOptions(config=str(path)))


def test_a_config_that_is_not_there():
    with pytest.raises(LadaError, match='no config at nowhere'):
        load_config('nowhere.py')


def test_a_work_dir_of_its_own_holds_a_derived_config_s_checkpoints(tmp_path):
    path = tmp_path / 'derived.py'
    path.write_text(f'_base_ = {os.path.abspath(STAGE1)!r}\nwork_dir = {str(tmp_path / "run")!r}\n')
    config = prepare_config(TrainOptions(config=str(path)))
    assert checkpoint_folders(config) == [tmp_path / 'run']
    out = tmp_path / 'out'
    path.write_text(
        path.read_text() + f'default_hooks = dict(checkpoint=dict(out_dir={str(out)!r}))'
    )
    config = prepare_config(TrainOptions(config=str(path)))
    assert checkpoint_folders(config) == [tmp_path / 'run', out / 'run']


def test_a_named_work_dir_holds_the_checkpoints(tmp_path):
    assert [str(p) for p in checkpoint_folders(prepare_config(TrainOptions(config=STAGE1)))] == [
        'experiments/basicvsrpp/mosaic_restoration_generic_stage1'
    ]
    config = prepare_config(TrainOptions(config=STAGE1, work_dir=str(tmp_path)))
    assert checkpoint_folders(config) == [tmp_path]
