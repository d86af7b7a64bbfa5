"""Packing datasets of real clips, and everything that a packed dataset is then used for."""

import json
import os
import shutil
import signal
import tarfile

import pytest
import torch
import webdataset
from fake_clips import FOLDERS, snapshot, write_clip, write_dataset

from lada.checkpoints.reading import load_training_checkpoint
from lada.data import ClipDraw, MosaicVideoDataset
from lada.data.packed import INDEX_NAME, PackedDataset
from lada.dataset_tools.check.checking import check_dataset
from lada.dataset_tools.check.leakage import find_leaks
from lada.dataset_tools.check.quarantine import quarantine, restore
from lada.dataset_tools.packing import WORK_FOLDER, pack_dataset, unpack_dataset
from lada.dataset_tools.split.manifest import SplitArguments
from lada.dataset_tools.split.splitting import split_dataset, undo_split
from lada.errors import LadaError
from lada.video import VideoError, read_frames

QUIET = dict(say=lambda line: None)
SMALL = 1
"""Bytes from which on another tar file is begun: each clip has one of its own."""


@pytest.fixture(scope='module')
def roots(clips):
    """Roots of two datasets of real clips: five of one source, two of another."""
    return [meta.parent for meta in clips]


@pytest.fixture
def packed(roots, tmp_path):
    pack_dataset(roots, tmp_path / 'packed', int(1e9))
    return tmp_path / 'packed'


@pytest.fixture
def fake(tmp_path):
    """A dataset of nine clips of three sources that hold text only."""
    return write_dataset(tmp_path / 'fake', {'a.mp4': 4, 'b.mp4': 3, 'c.mp4': 2}, mosaic=True)


def content(root):
    """Return the files of a dataset, without what the toolkit makes again."""
    return {
        name.partition('/')[2]: value
        for name, value in snapshot(root).items()
        if '.lada_index' not in name
    }


def members(path):
    with tarfile.open(path) as tar:
        return tar.getnames()


def samples(folder, **arguments):
    dataset = MosaicVideoDataset(folder, num_frame=3, degrade=True, use_hflip=True, **arguments)
    return [dataset[ClipDraw(index, 5)] for index in range(len(dataset))]


def test_samples_are_those_of_the_folder(roots, tmp_path):
    pack_dataset(roots[:1], tmp_path / 'packed', int(1e9))
    for folder in (tmp_path / 'packed', tmp_path / 'packed' / 'crop_unscaled_meta'):
        for one, other in zip(
            samples(roots[0] / 'crop_unscaled_meta'), samples(folder), strict=True
        ):
            assert torch.equal(one['inputs'], other['inputs'])
            for name in ('gt_img', 'mosaic_mask'):
                assert torch.equal(one['data_samples'].get(name), other['data_samples'].get(name))
            for name in ('key', 'source', 'fps', 'clip_start', 'mosaic_block'):
                assert one['data_samples'].get(name) == other['data_samples'].get(name)


def test_a_small_dataset_is_two_files(packed):
    assert sorted(path.name for path in packed.iterdir()) == ['00000.tar', INDEX_NAME]


def test_the_webdataset_package_reads_the_clips(packed):
    found = list(
        webdataset.WebDataset(str(packed / '00000.tar'), shardshuffle=False, empty_check=False)
    )
    dataset = PackedDataset.open(packed)
    assert [sample['__key__'] for sample in found] == [f'{n:06d}' for n in range(len(dataset))]
    for number, sample in enumerate(found):
        clip = dataset[number]
        assert sample['json'] == clip.parts[0].read()
        assert sample['mp4'] == clip.parts[1].read()
        assert sample['mkv'] == clip.parts[2].read()


@pytest.mark.parametrize('tar_bytes', [SMALL, 6000, int(1e9)])
@pytest.mark.parametrize('version', [1, 2, 3])
def test_unpacking_gives_every_byte_back(tmp_path, version, tar_bytes):
    root = write_dataset(
        tmp_path / 'fake', {'a.mp4': 3, 'é ü.mp4': 2}, version=version, mosaic=version > 1
    )
    (root / 'creation-index.jsonl').write_bytes(b'{"a": 1}\n{"b": 2}\n')
    before = content(root)
    assert pack_dataset([root], tmp_path / 'packed', tar_bytes) == 5
    assert content(root) == before, 'the original must stay'
    tars = sorted((tmp_path / 'packed').glob('*.tar'))
    assert len(tars) == {SMALL: 5, 6000: 3}.get(tar_bytes, 1)
    first = ['000000.json', '000000.mp4', '000000.mkv', '000000.mosaic.mp4', '000000.mosaic.mkv']
    first = first[: 5 if version > 1 else 3]
    assert members(tars[0])[: len(first)] == first
    assert unpack_dataset(tmp_path / 'packed', tmp_path / 'back') == 5
    assert content(tmp_path / 'back') == before
    assert unpack_dataset(tmp_path / 'packed', tmp_path / 'back') == 5, 'again, nothing to do'


def test_names_and_suffixes_of_other_tools(tmp_path):
    # Public Lada's stems end in a dash and hold dots; its clips may lie in folders a source; a mask
    # may be a video with the suffix of the frames'.
    root = tmp_path / 'other'
    stem = write_clip(root, 'my.film.mp4', 1, stem='my.film.mp4-000001-')
    path = root / FOLDERS[2] / f'{stem}.json'
    data = json.loads(path.read_bytes())
    for key, name in (('video_path', 'clip.MP4'), ('mask_path', 'mask.mp4')):
        folder = os.path.join('..', 'crop_unscaled_img', 'my.film.mp4')
        old = (path.parent / data[key]).resolve()
        (root / 'crop_unscaled_img' / 'my.film.mp4').mkdir(exist_ok=True)
        shutil.move(old, path.parent / folder / name)
        data[key] = f'{folder}/{name}'
    path.write_text(json.dumps(data))
    before = {k: v for k, v in content(root).items() if v != 'folder'}
    pack_dataset([root], tmp_path / 'packed', int(1e9))
    names = members(tmp_path / 'packed' / '00000.tar')
    assert names == ['000000.json', '000000.mp4', '000000.mask.mp4']
    unpack_dataset(tmp_path / 'packed', tmp_path / 'back')
    assert {k: v for k, v in content(tmp_path / 'back').items() if v != 'folder'} == before


def test_datasets_are_merged_also_packed_ones(roots, tmp_path):
    pack_dataset(roots[:1], tmp_path / 'one', int(1e9))
    pack_dataset([tmp_path / 'one', roots[1]], tmp_path / 'both', SMALL)
    pack_dataset(roots, tmp_path / 'at once', int(1e9))
    both, at_once = (PackedDataset.open(tmp_path / name) for name in ('both', 'at once'))
    assert both.stems() == at_once.stems()
    assert len(both) == 7 and len(both.tars) == 7 and len(at_once.tars) == 1
    for one, other in zip(samples(both.folder), samples(at_once.folder), strict=True):
        assert torch.equal(one['inputs'], other['inputs'])
    assert check_dataset(both.folder) == (7, [])


def test_two_clips_of_one_name_are_not_merged(fake, tmp_path):
    other = write_dataset(tmp_path / 'other', {'c.mp4': 1})
    with pytest.raises(LadaError, match=r'two clips of one name: c.mp4-000000 is in .*fake and in'):
        pack_dataset([fake, other], tmp_path / 'packed', SMALL)
    assert not (tmp_path / 'packed').exists()


def test_a_clip_that_lacks_a_file_is_named(tmp_path):
    root = write_dataset(tmp_path / 'large', {'a.mp4': 120})
    (root / FOLDERS[1] / 'a.mp4-000007.mkv').unlink()
    lines = []
    assert pack_dataset([root], tmp_path / 'packed', int(1e9), lines.append) == 119
    assert len(lines) == 1 and 'a.mp4-000007' in lines[0] and 'missing' in lines[0]
    for number in range(5):
        (root / FOLDERS[1] / f'a.mp4-{number:06d}.mkv').unlink()
    with pytest.raises(LadaError, match=r'6 clips of 120 cannot be packed; check-dataset.py'):
        pack_dataset([root], tmp_path / 'again', int(1e9), lines.append)


@pytest.mark.parametrize(
    'harm, message',
    [
        (lambda tar: tar.unlink(), r'1 tar file .* with 1 clip of 7: .*00002.tar \(No such file'),
        (lambda tar: os.truncate(tar, 900), r'00002.tar \(900 bytes of [\d,]+\)'),
    ],
)
def test_a_tar_file_that_is_missing_or_cut_short_is_named(roots, tmp_path, harm, message):
    pack_dataset(roots, tmp_path / 'packed', SMALL)
    harm(tmp_path / 'packed' / '00002.tar')
    with pytest.raises(LadaError, match=message):
        MosaicVideoDataset(tmp_path / 'packed', num_frame=3)
    with pytest.raises(LadaError, match=message):
        check_dataset(tmp_path / 'packed')


@pytest.mark.parametrize('place', ['header', 'row', 'end', 'cut'])
def test_a_damaged_table_is_named(packed, place):
    path = packed / INDEX_NAME
    data = bytearray(path.read_bytes())
    data[{'header': 3, 'row': 4200, 'end': len(data) - 3, 'cut': 0}[place]] ^= 64 * (place != 'cut')
    path.write_bytes(data[:-40] if place == 'cut' else data)
    with pytest.raises(LadaError, match=r'the table of a packed dataset .*packed.index; put a'):
        MosaicVideoDataset(packed, num_frame=3)


@pytest.mark.parametrize('role', range(3))
def test_one_wrong_bit_in_a_clip_is_found_where_it_is(packed, role):
    clip = PackedDataset.open(packed)[2]
    part = clip.parts[role]
    with open(part.path, 'r+b') as file:
        file.seek(part.start + part.size // 2)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))
    total, problems = check_dataset(packed)
    assert total == 7 and [problem.clip for problem in problems] == [clip.stem]
    assert 'damaged' in problems[0].detail and '00000.tar' in problems[0].detail
    with pytest.raises(LadaError, match=rf'clip {clip.stem}: damaged: .*00000.tar'):
        MosaicVideoDataset(packed, num_frame=3)[2]
    if role:
        with pytest.raises(VideoError, match='damaged'):
            read_frames(part)
    # A training draws another clip, and says so.
    sample = MosaicVideoDataset(packed, num_frame=3)[ClipDraw(2, 0)]
    assert sample['data_samples'].replaced[0][0] == clip.stem


def test_bad_clips_are_set_aside_and_come_back(packed):
    whole = PackedDataset.open(packed).stems()
    part = PackedDataset.open(packed)[3].parts[1]
    with open(part.path, 'r+b') as file:
        file.seek(part.start)
        file.write(b'nothing')
    bad = PackedDataset.open(packed)[3].stem
    assert quarantine(packed, check_dataset(packed)[1]) == 1
    assert PackedDataset.open(packed).stems() == [stem for stem in whole if stem != bad]
    assert check_dataset(packed) == (6, [])
    assert restore(packed) == 1
    assert PackedDataset.open(packed).stems() == whole
    assert not (packed / 'quarantine').exists()


def test_a_split_is_two_tables_and_can_be_taken_back(packed, tmp_path):
    val, whole = tmp_path / 'val', PackedDataset.open(packed).stems()
    tars = snapshot(packed)['packed/00000.tar']
    arguments = SplitArguments(val_size=2, mode='move', remove=True)
    assert split_dataset(packed, val, arguments, **QUIET)
    train_stems, val_stems = PackedDataset.open(packed).stems(), PackedDataset.open(val).stems()
    assert sorted(train_stems + val_stems) == whole and len(val_stems) == 2
    assert snapshot(packed)['packed/00000.tar'] == tars
    assert not list(val.glob('*.tar'))
    assert find_leaks(packed, val)[0] == []
    assert [sample['data_samples'].key for sample in samples(val)] == val_stems
    # Both sides may be moved together.
    (tmp_path / 'elsewhere').mkdir()
    for folder in (packed, val):
        shutil.move(folder, tmp_path / 'elsewhere')
    packed, val = tmp_path / 'elsewhere' / 'packed', tmp_path / 'elsewhere' / 'val'
    assert check_dataset(val) == (2, [])
    assert split_dataset(packed, val, arguments, **QUIET), 'again: nothing to do'
    # The validation side becomes a dataset of its own by packing it.
    assert pack_dataset([val], tmp_path / 'own', int(1e9)) == 2
    assert undo_split(packed, **QUIET)
    assert PackedDataset.open(packed).stems() == whole
    assert not val.exists()


def test_a_split_that_keeps_the_clips_leaks(packed, tmp_path):
    val, whole = tmp_path / 'val', PackedDataset.open(packed).stems()
    assert split_dataset(packed, val, SplitArguments(val_size=2), **QUIET)
    assert PackedDataset.open(packed).stems() == whole
    assert {leak.reason for leak in find_leaks(packed, val)[0]} == {'source'}
    assert undo_split(packed, **QUIET)
    assert not val.exists()


def test_a_split_chooses_the_clips_that_it_chooses_of_single_files(fake, tmp_path):
    pack_dataset([fake], tmp_path / 'packed', SMALL)
    arguments = SplitArguments(val_ratio=0.3, mode='move', remove=True)
    for root in (fake, tmp_path / 'packed'):
        split_dataset(root, tmp_path / f'{root.name}_val', arguments, **QUIET)
    of_files = {path.stem for path in (tmp_path / 'fake_val' / FOLDERS[2]).glob('*.json')}
    assert set(PackedDataset.open(tmp_path / 'packed_val').stems()) == of_files


def test_the_output_is_not_overwritten(fake, tmp_path):
    packed = tmp_path / 'packed'
    pack_dataset([fake], packed, SMALL)
    lines = []
    assert pack_dataset([fake], packed, SMALL, lines.append) == 9
    assert lines == [f'packed already: {packed}; nothing to do']
    write_clip(fake, 'd.mp4', 0)
    with pytest.raises(LadaError, match='there is another packed dataset'):
        pack_dataset([fake], packed, SMALL)
    (tmp_path / 'full').mkdir()
    (tmp_path / 'full' / 'letter').touch()
    with pytest.raises(LadaError, match='the output is not empty'):
        pack_dataset([fake], tmp_path / 'full', SMALL)
    with pytest.raises(LadaError, match='the output is a dataset itself'):
        pack_dataset([fake], fake, SMALL)


def test_another_file_is_not_overwritten_by_unpacking(fake, tmp_path):
    pack_dataset([fake], tmp_path / 'packed', SMALL)
    other = tmp_path / 'back' / FOLDERS[0] / 'b.mp4-000001.mp4'
    other.parent.mkdir(parents=True)
    other.write_text('mine')
    with pytest.raises(LadaError, match=r'another file is there: .*b.mp4-000001.mp4; choose'):
        unpack_dataset(tmp_path / 'packed', tmp_path / 'back')
    assert other.read_text() == 'mine'
    with pytest.raises(LadaError, match=r'no packed dataset: .*fake holds no packed.index'):
        unpack_dataset(fake, tmp_path / 'new')


def test_what_needs_single_files_says_how_to_get_them(fake, tmp_path, here):
    pack_dataset([fake], tmp_path / 'packed', SMALL)
    done = here('convert-metadata.py', tmp_path / 'packed', '--output', tmp_path / 'v2')
    assert done.returncode == 1
    assert 'a packed dataset' in done.stderr and '--unpack' in done.stderr
    videos = tmp_path / 'videos'
    videos.mkdir()
    done = here(
        'create-mosaic-restoration-dataset.py', '--input', videos, '--output', tmp_path / 'packed'
    )
    assert done.returncode == 1 and 'takes no more clips' in done.stderr


def test_a_folder_that_is_not_there_is_not_its_parent(packed):
    with pytest.raises(LadaError, match='dataset folder cannot be read'):
        MosaicVideoDataset(packed / 'tpyo', num_frame=3)


KILL = """
import os, signal
import lada.dataset_tools.packing as packing
real, calls = packing._add, 0
def add(*args):
    global calls
    calls += 1
    if calls > {after}:
        os.kill(os.getpid(), signal.{signal})
    return real(*args)
packing._add = add
"""


@pytest.mark.parametrize('name', ['SIGKILL', 'SIGTERM'])
@pytest.mark.parametrize('after', [0, 4, 8])
def test_packing_that_was_stopped_is_continued(fake, tmp_path, script, name, after):
    command = ['pack-dataset.py', fake, '--output', tmp_path / 'packed', '--tar-size', '6e-6']
    pack_dataset([fake], tmp_path / 'undisturbed', 6000)
    stopped = script(*command, prelude=KILL.format(after=after, signal=name))
    assert stopped.returncode == (-signal.SIGKILL if name == 'SIGKILL' else 143), stopped.stderr
    if name == 'SIGTERM':
        assert 'nothing is lost: run the same command again' in stopped.stderr
    there = {path.name: path.stat().st_mtime_ns for path in (tmp_path / 'packed').glob('*.tar')}
    assert len(there) == after // 2
    assert not (tmp_path / 'packed' / INDEX_NAME).exists()
    done = script(*command)
    assert (done.returncode, done.stderr) == (0, '')
    now = {path.name: path.stat().st_mtime_ns for path in (tmp_path / 'packed').glob('*.tar')}
    assert there.items() <= now.items(), 'finished tar files are not written again'
    ours, undisturbed = content(tmp_path / 'packed'), content(tmp_path / 'undisturbed')
    assert ours == undisturbed and WORK_FOLDER not in str(ours)


def test_packing_that_was_stopped_notices_that_clips_changed(fake, tmp_path, script):
    command = ['pack-dataset.py', fake, '--output', tmp_path / 'packed', '--tar-size', '6e-6']
    script(*command, prelude=KILL.format(after=4, signal='SIGKILL'))
    write_clip(fake, 'd.mp4', 0)
    done = script(*command)
    assert done.returncode == 1 and 'its clips have changed since' in done.stderr


def test_unpacking_that_was_killed_is_continued(fake, tmp_path, script):
    pack_dataset([fake], tmp_path / 'packed', SMALL)
    kill = KILL.replace('_add', '_restore').format(after=17, signal='SIGKILL')
    command = ['pack-dataset.py', tmp_path / 'packed', '--unpack', '--output', tmp_path / 'back']
    assert script(*command, prelude=kill).returncode == -signal.SIGKILL
    done = script(*command)
    assert done.returncode == 0, done.stderr
    assert content(tmp_path / 'back') == content(fake)


def test_a_training_on_packed_clips_ends_in_the_same_weights(
    clips, write_config, run_training, tmp_path
):
    packed = []
    for meta in clips:
        packed.append(tmp_path / meta.parent.name)
        pack_dataset([meta.parent], packed[-1], SMALL, **QUIET)
    weights = []
    for name, (train, val) in (('files', clips), ('packed', packed)):
        folders = f"""
train_dataloader['dataset']['metadata_root_dir'] = {str(train)!r}
val_dataloader['dataset']['metadata_root_dir'] = {str(val)!r}
"""
        status, _, errors = run_training(write_config(tmp_path / name, folders))
        assert status == 0, errors
        weights.append(load_training_checkpoint(tmp_path / name / 'iter_8.pth')['state_dict'])
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
