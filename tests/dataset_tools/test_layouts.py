"""Layouts of public Lada: both sides in one folder, files in a folder for each source."""

import json

import pytest

from lada.data import MosaicVideoDataset
from lada.engine.train import TrainOptions, describe_run
from tests.conftest import make_clips, tiny_config

SPLIT, CHECK = 'split-train-val-dataset.py', 'check-dataset.py'


def into_folders_by_source(root):
    for path in (root / 'crop_unscaled_meta').glob('*.json'):
        data = json.loads(path.read_text())
        for key in ('video_path', 'mask_path'):
            old = path.parent / data[key]
            new = old.parent / data['name'] / old.name
            new.parent.mkdir(exist_ok=True)
            old.rename(new)
            data[key] = f'../{new.parent.parent.name}/{data["name"]}/{new.name}'
        path.write_text(json.dumps(data))


@pytest.mark.parametrize('folders', [False, True])
def test_sides_in_one_folder_and_files_in_a_folder_a_source(tmp_path, bikes, bunny, here, folders):
    train, val = tmp_path / 'set' / 'train', tmp_path / 'set' / 'val'
    make_clips(train, bikes, 2)
    make_clips(train, bunny, 1)
    if folders:
        into_folders_by_source(train)
    checked = here(CHECK, train, '--workers', '1')
    assert checked.returncode == 0 and '3 clips, 0 problems' in checked.stdout, checked.stdout
    split = here(
        SPLIT, '--src-root', train, '--val-root', val, '--val-size', '1', '--mode', 'move', '--yes'
    )
    assert split.returncode == 0, split.stderr
    for root, clips in ((train, 2), (val, 1)):
        again = here(CHECK, root, '--workers', '1')
        assert again.returncode == 0 and f'{clips} clip' in again.stdout, again.stdout
        assert len(MosaicVideoDataset(root / 'crop_unscaled_meta', 2)) == clips
    sides = train / 'crop_unscaled_meta', val / 'crop_unscaled_meta'
    lines = describe_run(TrainOptions(str(tiny_config(tmp_path / 'c.py', tmp_path / 'run', sides))))
    assert 'train_dataloader: 2 clips of 1 source' in lines
    assert 'val_dataloader: 1 clip of 1 source' in lines


def test_a_source_on_both_sides_is_told(tmp_path, bikes):
    train, val = tmp_path / 'train', tmp_path / 'val'
    sides = make_clips(train, bikes, 2), make_clips(val, bikes, 1)
    lines = describe_run(TrainOptions(str(tiny_config(tmp_path / 'c.py', tmp_path / 'run', sides))))
    note = 'note: clips of 1 source are on both sides; validation will look better than it is'
    assert note in lines
