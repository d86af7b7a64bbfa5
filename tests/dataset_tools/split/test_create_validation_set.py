"""create_validation_set.sh: shows, asks, splits, and prints what training needs."""

import os
import subprocess

import pytest
from fake_clips import snapshot, stems, write_dataset
from mmengine.config import Config

from lada.data.packed import PackedDataset
from lada.dataset_tools.packing import pack_dataset


@pytest.fixture
def shell(repo_root, tmp_path):
    """Run the script in an empty folder, without the caller's LADA_ variables."""

    def run(*arguments, stdin='', **variables):
        environment = {k: v for k, v in os.environ.items() if not k.startswith('LADA_')}
        return subprocess.run(
            ['bash', repo_root / 'create_validation_set.sh', *arguments],
            input=stdin,
            text=True,
            capture_output=True,
            env=environment | variables,
            cwd=tmp_path,
            timeout=100,
        )

    return run


@pytest.fixture
def dataset(tmp_path):
    return write_dataset(
        tmp_path / 'datasets' / 'mosaic_removal_vid', {f'{i}.mp4': 2 for i in range(10)}
    )


def test_no_changes_nothing(shell, dataset):
    before = snapshot(dataset.parent)
    for answer in ('n\n', '', 'what?\n'):
        result = shell(stdin=answer)
        assert result.returncode == 1 and 'Nothing was changed.' in result.stdout
        assert '20 clips' in result.stdout and 'move 6 files' in result.stdout
        assert snapshot(dataset.parent) == before


def test_yes_prints_what_the_config_reads(shell, dataset, tmp_path, repo_root, monkeypatch):
    result = shell(stdin='y\n')
    assert result.returncode == 0, result.stderr
    val = tmp_path / 'datasets' / 'mosaic_removal_vid_val'
    assert len(stems(dataset)) == 18 and len(stems(val)) == 2
    assert 'Training: 18 clips, validation: 2 clips.' in result.stdout
    exports = [line for line in result.stdout.splitlines() if line.startswith('export ')]
    assert exports == [f'export LADA_DATA_ROOT={dataset}', f'export LADA_VAL_ROOT={val}']
    for line in exports:
        monkeypatch.setenv(*line.removeprefix('export ').split('='))
    config = Config.fromfile(
        repo_root / 'configs' / 'basicvsrpp' / 'mosaic_restoration_generic_stage1.py'
    )
    assert config.train_dataloader.dataset.metadata_root_dir == f'{dataset}/crop_unscaled_meta'
    assert config.val_dataloader.dataset.metadata_root_dir == f'{val}/crop_unscaled_meta'
    again = shell()
    assert again.returncode == 0 and 'nothing to do' in again.stdout
    assert [line for line in again.stdout.splitlines() if line.startswith('export ')] == exports


def test_dry_run_only_shows(shell, dataset):
    before = snapshot(dataset.parent)
    result = shell('--dry-run', '--mode', 'copy')
    assert (
        result.returncode == 0 and 'copy 6 files' in result.stdout and 'export' not in result.stdout
    )
    assert snapshot(dataset.parent) == before


def test_environment_arguments_and_undo(shell, dataset, tmp_path):
    root = dataset.rename(tmp_path / 'my own clips')
    before = snapshot(root)
    roots = dict(LADA_DATA_ROOT=str(root), LADA_VAL_ROOT=str(tmp_path / 'val set'))
    result = shell('--yes', '--val-size', '4', '--seed=7', **roots)
    assert result.returncode == 0, result.stderr
    assert len(stems(tmp_path / 'val set')) == 4 and 'val\\ set' in result.stdout
    undo = shell('--yes', '--undo', str(root) + '/', LADA_VAL_ROOT=str(tmp_path / 'val set'))
    assert undo.returncode == 0, undo.stderr
    assert snapshot(root) == before and not (tmp_path / 'val set').exists()


def test_a_dataset_named_by_dots(shell, dataset, script):
    result = shell('datasets/mosaic_removal_vid/.', '--yes')
    assert result.returncode == 0, result.stderr
    assert len(stems(dataset.with_name('mosaic_removal_vid_val'))) == 2
    dots = dataset / 'crop_unscaled_meta' / '..'
    same = script(
        'split-train-val-dataset.py',
        '--src-root',
        dots,
        '--val-ratio',
        '0.1',
        '--mode',
        'move',
        '--yes',
    )
    assert same.returncode == 0 and 'nothing to do' in same.stdout


@pytest.mark.parametrize(
    ('arguments', 'complaint'),
    [
        ((), 'no dataset: datasets/mosaic_removal_vid'),
        (('.',), 'holds no crop_unscaled_meta'),
        (('a', 'b'), 'more than one dataset'),
        (('--val-size',), 'error: --val-size needs a value'),
    ],
)
def test_errors(shell, arguments, complaint):
    result = shell(*arguments)
    assert (
        result.returncode == 1
        and complaint in result.stderr
        and len(result.stderr.splitlines()) == 1
    )


def test_help(shell):
    result = shell('--help')
    assert (
        result.returncode == 0 and 'LADA_DATA_ROOT' in result.stdout and '--undo' in result.stdout
    )


def test_a_packed_dataset_is_split_too(shell, dataset, tmp_path):
    pack_dataset([dataset], tmp_path / 'packed', 2000)
    result = shell(tmp_path / 'packed', '--yes')
    assert result.returncode == 0, result.stderr
    assert 'packed: 20 clips.' in result.stdout
    assert 'Training: 18 clips, validation: 2 clips.' in result.stdout
    assert not list((tmp_path / 'packed_val').glob('*.tar'))
    assert shell(tmp_path / 'packed', '--undo', '--yes').returncode == 0
    assert len(PackedDataset.open(tmp_path / 'packed')) == 20
