"""Splitting: every mode there and back, dry runs that tell the truth, extension, and input that is
refused.
"""

import errno
import hashlib
import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from fake_clips import FOLDERS, snapshot, stems, write_clip, write_dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from lada.data import ClipMetadata
from lada.dataset_tools.inventory import ClipFile
from lada.dataset_tools.split import checks as split_checks
from lada.dataset_tools.split import plan as split_plan
from lada.dataset_tools.split import transfer
from lada.dataset_tools.split.manifest import MANIFEST_NAME, Manifest, SplitArguments
from lada.dataset_tools.split.splitting import split_dataset, undo_split
from lada.errors import LadaError

SPLIT = 'split-train-val-dataset.py'
SOURCES = {'a.mp4': 5, 'b.mp4': 3, 'c.mp4': 2, 'd.mp4': 7}
MODES = [
    ('copy', False),
    ('copy', True),
    ('hardlink', False),
    ('hardlink', True),
    ('symlink', False),
    ('move', True),
]


def quiet(line):
    pass


@pytest.fixture
def dataset(tmp_path):
    return write_dataset(tmp_path / 'set', SOURCES)


def arguments(size=5, mode='move', remove=None, **more):
    return SplitArguments(
        val_size=size, mode=mode, remove=mode == 'move' if remove is None else remove, **more
    )


def split(root, *args, **options):
    val = root.with_name(root.name + '_val')
    return split_dataset(root, val, arguments(*args, **options), say=quiet), val


@pytest.mark.parametrize(('mode', 'remove'), MODES)
def test_there_and_back(dataset, mode, remove):
    before = snapshot(dataset)
    done, val = split(dataset, 5, mode, remove)
    assert done
    train, val_stems = stems(dataset), stems(val)
    assert len(val_stems) == 5
    assert (train & val_stems == set()) if remove else (val_stems < train)
    assert {s.split('-')[0] for s in val_stems} in ({'a.mp4'}, {'b.mp4', 'c.mp4'})
    for stem in val_stems:
        clip = ClipMetadata.from_file(val / FOLDERS[2] / f'{stem}.json')
        assert (
            clip.video_path.read_text() == f'video {stem}'
            and clip.mask_path.read_text() == f'mask {stem}'
        )
    records = [(root / MANIFEST_NAME).read_text().splitlines() for root in (dataset, val)]
    assert records[0][1:] == records[1][1:]
    assert [json.loads(lines[0])['side'] for lines in records] == ['train', 'val']
    for e in Manifest.read(val / MANIFEST_NAME).entries:
        assert len(e.files) == 3
        for file in e.files:
            content = ((val if e.side == 'val' else dataset) / file.path).read_bytes()
            assert (file.size, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert not (dataset / '.lada-split').exists() and not (val / '.lada-split').exists()
    undo_split(dataset, say=quiet)
    assert snapshot(dataset) == before and not val.exists()


@pytest.mark.parametrize('version', [1, 2, 3])
@pytest.mark.parametrize(('mode', 'remove'), MODES)
def test_all_versions_and_prerendered_mosaics(tmp_path, version, mode, remove):
    root = tmp_path / 'set'
    for source in 'ab':
        for number in range(2):
            write_clip(root, source, number, version=version, mosaic=True)
    before = snapshot(root)
    _, val = split(root, 2, mode, remove)
    stem, _ = sorted(stems(val))
    clip = ClipMetadata.from_file(val / FOLDERS[2] / f'{stem}.json')
    assert (
        clip.video_path.read_text() == f'video {stem}'
        and clip.mask_path.read_text() == f'mask {stem}'
    )
    assert version == 1 or clip.mosaic_video_path.is_relative_to(val)
    for folder, suffix, content in (
        ('mosaic', 'mp4', 'mosaic'),
        ('mask_mosaic', 'mkv', 'mask of the mosaic'),
    ):
        name = f'crop_unscaled_{folder}/{stem}.{suffix}'
        assert (val / name).read_text() == content
        assert (root / name).exists() == (not remove)
    undo_split(root, say=quiet)
    assert snapshot(root) == before and not val.exists()


def test_across_file_systems(dataset, monkeypatch):
    """Where renaming is impossible files are copied, compared, and only then removed."""
    for module in (transfer, split_checks, split_plan):
        monkeypatch.setattr(module, 'same_file_system', lambda *roots: False)

    def rename(source, target):
        raise OSError(errno.EXDEV, 'Invalid cross-device link', source)

    monkeypatch.setattr(os, 'rename', rename)
    before = snapshot(dataset)
    _, val = split(dataset, 5)
    assert len(stems(val)) == 5 and len(stems(dataset)) == 12
    undo_split(dataset, say=quiet)
    assert snapshot(dataset) == before and not val.exists()


def test_links_stay_valid_when_both_roots_are_moved(dataset, tmp_path):
    (tmp_path / 'link').symlink_to(dataset, target_is_directory=True)
    split_dataset(tmp_path / 'link', tmp_path / 'val', arguments(5, 'symlink'), say=quiet)
    (tmp_path / 'elsewhere').mkdir()
    for name in ('set', 'val'):
        (tmp_path / name).rename(tmp_path / 'elsewhere' / name)
    for stem in stems(tmp_path / 'elsewhere' / 'val'):
        clip = ClipMetadata.from_file(tmp_path / 'elsewhere' / 'val' / FOLDERS[2] / f'{stem}.json')
        assert clip.video_path.read_text() == f'video {stem}'
    assert undo_split(tmp_path / 'elsewhere' / 'set', say=quiet)


def test_hashes_of_moved_files_only(dataset):
    split(dataset, 5, hash='moved')
    for e in Manifest.read(dataset / MANIFEST_NAME).entries:
        assert len(e.files) == (3 if e.side == 'val' else 1) and all(
            file.sha256 for file in e.files
        )


def test_same_call_same_split(tmp_path):
    manifests = []
    for name in 'xy':
        root = write_dataset(tmp_path / name / 'set', SOURCES)
        _, val = split(root, 6, 'copy')
        manifests.append((val / MANIFEST_NAME).read_bytes())
    assert manifests[0] == manifests[1]


def test_seeds_differ(tmp_path):
    root = write_dataset(tmp_path / 'set', {f'{i}.mp4': 1 for i in range(30)})
    chosen = set()
    for seed in range(4):
        _, val = split(root, 10, 'copy', seed=seed)
        chosen.add(frozenset(stems(val)))
        undo_split(root, say=quiet)
    assert len(chosen) == 4


def test_finished_split_is_left_alone(dataset):
    split(dataset, 5)
    before = snapshot(dataset, dataset.with_name('set_val'))
    lines = []
    assert split_dataset(dataset, dataset.with_name('set_val'), arguments(5), say=lines.append)
    assert 'split already: 12 training clips, 5 validation clips; nothing to do' in lines[0]
    assert snapshot(dataset, dataset.with_name('set_val')) == before
    with pytest.raises(
        LadaError,
        match=r'split already.*--val-size 5 --seed 42 --group-by source --mode move;.*--ext',
    ):
        split(dataset, 6)


def test_shared_hash_keeps_renamed_copies_together(tmp_path):
    root = tmp_path / 'set'
    for source in ('one.mp4', 'one (copy).mp4'):
        write_clip(root, source, 0, sha256='f' * 64)
    write_dataset(root, {'two.mp4': 2})
    _, val = split(root, 2)
    assert len({s.startswith('one') for s in stems(val)}) == 1


def test_one_source_is_refused_with_a_way_out(tmp_path):
    root = write_dataset(tmp_path / 'set', {'only.mp4': 6})
    with pytest.raises(LadaError, match=r'all 6 clips .* one source, only.mp4.*--group-by clip'):
        split(root, 2)
    split(root, 2, group_by='clip')
    assert len(stems(root)) == 4


def test_extension_moves_no_clip_that_has_a_side(tmp_path):
    root = write_dataset(tmp_path / 'set', {'a.mp4': 4, 'b.mp4': 4, 'c.mp4': 4})
    _, val = split(root, 4)
    train_before, val_before = stems(root), stems(val)
    manifest_before = (root / MANIFEST_NAME).read_bytes()
    val_source = next(iter(val_before)).split('-')[0]
    train_source = next(iter(train_before)).split('-')[0]
    write_clip(root, val_source, 90)
    write_clip(root, train_source, 91)
    write_dataset(root, {'d.mp4': 3, 'e.mp4': 3})
    state = snapshot(root, val)
    split(root, 8, extend=True)
    assert val_before < stems(val) and train_before < stems(root)
    assert f'{val_source}-000090' in stems(val) and f'{train_source}-000091' in stems(root)
    assert len(stems(val)) == 8
    assert {s.split('-')[0] for s in stems(val)} & {s.split('-')[0] for s in stems(root)} == set()
    after = snapshot(root, val)
    lines = []
    split_dataset(root, val, arguments(8, extend=True), say=lines.append)
    assert 'nothing to do' in lines[0] and snapshot(root, val) == after
    undo_split(root, say=quiet)
    assert snapshot(root, val) == state
    assert (root / MANIFEST_NAME).read_bytes() == manifest_before
    undo_split(root, say=quiet)
    assert not val.exists() and len(stems(root)) == 20


def test_extension_says_when_sources_meet(tmp_path):
    """A new clip that has the name of a training source and the content of a validation source ties
    the two.
    """
    root = write_dataset(tmp_path / 'set', {'a.mp4': 2, 'b.mp4': 2})
    _, val = split(root, 2)
    val_source = next(iter(stems(val))).split('-')[0]
    train_source = next(iter(stems(root))).split('-')[0]
    write_clip(root, train_source, 9, sha256=hashlib.sha256(val_source.encode()).hexdigest())
    lines = []
    split_dataset(root, val, arguments(2, extend=True), say=lines.append)
    assert any('the same source are on both sides' in line for line in lines)


@pytest.mark.parametrize('extend', [False, True])
def test_validation_clips_that_come_back(dataset, extend):
    _, val = split(dataset, 5)
    stem = next(iter(stems(val)))
    for folder, suffix in zip(FOLDERS, ('mp4', 'mkv', 'json'), strict=True):
        shutil.copy(val / folder / f'{stem}.{suffix}', dataset / folder)
    with pytest.raises(
        LadaError, match=f'1 validation clip came back into the training set, for example {stem}'
    ):
        split(dataset, 5, extend=extend)


def test_new_clips_are_pointed_out(dataset):
    split(dataset, 5, 'copy')
    write_clip(dataset, 'new.mp4', 0)
    lines = []
    split_dataset(dataset, dataset.with_name('set_val'), arguments(5, 'copy'), say=lines.append)
    assert '1 new clip without a side: use --extend' in lines[0]


@settings(deadline=None, max_examples=25)
@given(st.dictionaries(st.sampled_from('abcdefg'), st.integers(1, 5), min_size=2), st.data())
def test_any_split_keeps_every_file_once_and_sources_apart(tmp_path_factory, sources, data):
    root = write_dataset(tmp_path_factory.mktemp('any') / 'set', sources)
    total = sum(sources.values())
    everything = stems(root)
    _, val = split(root, data.draw(st.integers(1, total - 1)), seed=data.draw(st.integers(0, 99)))
    train, chosen = stems(root), stems(val)
    assert train | chosen == everything and not train & chosen and train and chosen
    assert not {s[0] for s in train} & {s[0] for s in chosen}
    for side in (root, val):
        assert {p.stem for f in FOLDERS[:2] for p in (side / f).iterdir()} == stems(side)
    shutil.rmtree(root.parent)


# ---- names, dry runs, reports
# --------------------------------------------------------------------------------------

AWKWARD = [
    'two words.mp4',
    'ünïcödé 映像.mp4',
    'line\nbreak.mp4',
    'quo\'te".mp4',
    '-dash.mp4',
    'tab\t.mp4',
]


def test_awkward_names(tmp_path, script):
    root = write_dataset(tmp_path / 'a set', {name: 2 for name in AWKWARD})
    raw = os.fsdecode(b'bytes \xff\xfe.mp4')
    write_clip(root, raw, 0)
    before = snapshot(root)
    call = [SPLIT, '--src-root', root, '--val-ratio', '0.6', '--mode', 'move', '--yes']
    dry = script(*call, '--dry-run')
    real = script(*call)
    assert real.returncode == 0, real.stderr
    assert dry.stdout == real.stdout
    assert all(line.isprintable() for line in real.stdout.splitlines())
    assert len(stems(root)) + len(stems(tmp_path / 'a set_val')) == 13
    assert script(SPLIT, '--src-root', root, '--undo', '--yes').returncode == 0
    assert snapshot(root) == before


@pytest.mark.parametrize(
    ('mode', 'keep'), [('move', []), ('copy', ['--keep-in-train']), ('hardlink', [])]
)
def test_dry_run_says_what_happens(dataset, script, mode, keep, tmp_path):
    before = snapshot(dataset)
    call = [
        SPLIT,
        '--src-root',
        dataset,
        '--val-size',
        '6',
        '--mode',
        mode,
        *keep,
        '--yes',
        '--report',
    ]
    dry = script(*call, tmp_path / 'dry.json', '--dry-run')
    assert (
        dry.returncode == 0 and snapshot(dataset) == before and not (tmp_path / 'set_val').exists()
    )
    real = script(*call, tmp_path / 'real.json')
    assert real.returncode == 0, real.stderr
    assert dry.stdout == real.stdout
    assert (tmp_path / 'dry.json').read_bytes() == (tmp_path / 'real.json').read_bytes()
    report = json.loads((tmp_path / 'real.json').read_text())
    assert {t['clip'] for t in report['transfers']} == stems(tmp_path / 'set_val')
    promised = {f for t in report['transfers'] for f in t['files']}
    found = {str(p.relative_to(tmp_path / 'set_val')) for p in (tmp_path / 'set_val').rglob('*.m*')}
    found |= {
        str(p.relative_to(tmp_path / 'set_val')) for p in (tmp_path / 'set_val').rglob('*.json')
    }
    assert promised == found - {MANIFEST_NAME}
    assert f'{len(promised)} files' in real.stdout
    assert ('also stay in the training set' in real.stdout) == (mode != 'move')
    again = script(*call, tmp_path / 'again.json')
    assert again.returncode == 0 and 'nothing to do' in again.stdout


def test_asking(dataset, script):
    before = snapshot(dataset)
    call = [SPLIT, '--src-root', dataset, '--val-size', '5']
    for answer, words in (('n\n', 'nothing was changed'), ('', 'use --yes')):
        result = script(*call, stdin=answer)
        assert result.returncode == 1 and words in result.stderr
        assert snapshot(dataset) == before
    assert script(*call, stdin='y\n').returncode == 0
    assert len(stems(dataset.with_name('set_val'))) == 5


# ---- input that is refused
# -----------------------------------------------------------------------------------------


def refused(dataset, match, **options):
    """Check that a split is refused and touches nothing."""
    before = snapshot(dataset.parent)
    val = options.pop('val_root', dataset.with_name('set_val'))
    with pytest.raises(LadaError, match=match) as caught:
        split_dataset(dataset, val, options.get('arguments') or arguments(**options), say=quiet)
    assert '\n' not in str(caught.value)
    assert snapshot(dataset.parent) == before


def test_counts(dataset):
    refused(dataset, 'no number of clips', size=0)
    refused(dataset, 'no number of clips', size=-3)
    refused(dataset, r'impossible: there are 17 clips.*use 1 to 16', size=17)
    refused(dataset, 'no share', arguments=SplitArguments(val_ratio=1.0))
    refused(dataset, 'no share', arguments=SplitArguments(val_ratio=float('nan')))
    refused(dataset, 'either --val-size or --val-ratio', arguments=SplitArguments())
    refused(
        dataset,
        'either --val-size or --val-ratio',
        arguments=SplitArguments(val_size=1, val_ratio=0.5),
    )


def test_contradictions(dataset):
    refused(dataset, 'symlink needs the files', mode='symlink', remove=True)
    refused(dataset, '--mode move takes clips out', mode='move', remove=False)
    refused(dataset, 'has not been split', extend=True)


def test_roots(dataset, tmp_path):
    refused(dataset, 'is the dataset itself', val_root=dataset)
    refused(dataset, 'inside the other', val_root=dataset / 'val')
    refused(dataset, 'inside the other', val_root=tmp_path)
    (tmp_path / 'link').symlink_to(dataset)
    refused(dataset, 'inside the other', val_root=tmp_path / 'link' / 'val')
    (tmp_path / 'file').write_text('')
    refused(dataset, 'is no folder', val_root=tmp_path / 'file')
    refused(dataset, 'cannot write to the validation root', val_root=tmp_path / 'file' / 'below')
    with pytest.raises(LadaError, match='no such dataset'):
        split_dataset(tmp_path / 'nowhere', tmp_path / 'v', arguments())
    (tmp_path / 'empty').mkdir()
    with pytest.raises(LadaError, match='holds no folder crop_unscaled_meta'):
        split_dataset(tmp_path / 'empty', tmp_path / 'v', arguments())
    (tmp_path / 'empty' / FOLDERS[2]).mkdir()
    with pytest.raises(LadaError, match='an empty dataset'):
        split_dataset(tmp_path / 'empty', tmp_path / 'v', arguments())


def test_bad_clips_are_named(dataset):
    (dataset / FOLDERS[1] / 'a.mp4-000001.mkv').unlink()
    refused(
        dataset,
        r'1 clip cannot be split: a.mp4-000001: crop_unscaled_mask/a.mp4-000001.mkv is missing;'
        r' repair',
    )
    path = dataset / FOLDERS[2] / 'b.mp4-000000.json'
    path.write_bytes(path.read_bytes()[:40])
    refused(dataset, r'2 clips .* b.mp4-000000: its metadata is no valid JSON')


@pytest.mark.parametrize(
    'escape', ['../../outside.mp4', '/outside.mp4', '..', '../crop_unscaled_img/../../x/y.mp4']
)
def test_paths_that_leave_the_root(dataset, tmp_path, escape):
    (tmp_path / 'outside.mp4').write_text('mine')
    path = dataset / FOLDERS[2] / 'b.mp4-000000.json'
    path.write_text(json.dumps(json.loads(path.read_text()) | {'video_path': escape}))
    refused(dataset, 'outside the dataset')


def test_two_clips_of_one_file(dataset):
    path = dataset / FOLDERS[2] / 'b.mp4-000000.json'
    path.write_text(
        json.dumps(
            json.loads(path.read_text()) | {'video_path': '../crop_unscaled_img/a.mp4-000000.mp4'}
        )
    )
    refused(dataset, 'belongs to')


def test_nothing_is_overwritten(dataset, tmp_path):
    for stem in stems(dataset):
        target = tmp_path / 'set_val' / FOLDERS[0] / f'{stem}.mp4'
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text('precious')
    refused(dataset, 'would be overwritten')


@pytest.mark.parametrize(
    ('changes', 'match'),
    [
        (
            dict(f_bavail=15),
            r'not enough space: .* needs 8.* kB, 61.4 kB are free; free some, use --mode hardlink',
        ),
        (dict(f_bavail=0), r'not enough space: .* 0 bytes are free'),
        (dict(f_files=100, f_favail=14), r'needs 15 files, .* has room for 14 more \(inodes\)'),
    ],
)
def test_full_disk_is_seen_before(dataset, monkeypatch, changes, match):
    def statvfs(path):
        values = (
            dict(f_bsize=4096, f_frsize=4096, f_blocks=100, f_bavail=90, f_files=0, f_favail=0)
            | changes
        )
        return SimpleNamespace(**values)

    monkeypatch.setattr(os, 'statvfs', statvfs)
    refused(dataset, match, mode='copy')


def test_links_in_the_dataset(dataset, tmp_path):
    for source in SOURCES:
        path = dataset / FOLDERS[0] / f'{source}-000000.mp4'
        path.rename(tmp_path / source)
        path.symlink_to(f'../../{source}')
    for mode, remove in (('move', True), ('hardlink', False), ('copy', True)):
        refused(
            dataset,
            'a symbolic link: .* use --mode copy or symlink',
            arguments=arguments(7, mode, remove),
        )
    before = snapshot(dataset)
    for mode in ('copy', 'symlink'):
        _, val = split(dataset, 7, mode)
        for stem in stems(val):
            assert (val / FOLDERS[0] / f'{stem}.mp4').read_text() == f'video {stem}'
        undo_split(dataset, say=quiet)
        assert snapshot(dataset) == before


def test_the_validation_side_is_no_dataset_to_split(dataset, script):
    _, val = split(dataset, 5)
    before = snapshot(dataset, val)
    for call in (
        ['--undo'],
        ['--undo', '--val-root', dataset],
        ['--val-size', '2', '--mode', 'move'],
    ):
        result = script(SPLIT, '--src-root', val, *call, '--yes')
        assert result.returncode == 1 and 'is the validation side of a split' in result.stderr
        assert snapshot(dataset, val) == before
    # As written by the first version, which did not record the side.
    for root in (dataset, val):
        header, _, rest = (root / MANIFEST_NAME).read_text().partition('\n')
        header = {key: value for key, value in json.loads(header).items() if key != 'side'}
        (root / MANIFEST_NAME).write_text(f'{json.dumps(header)}\n{rest}')
    before = snapshot(dataset, val)
    with pytest.raises(LadaError, match='is the dataset itself'):
        undo_split(val, say=quiet)
    assert snapshot(dataset, val) == before


def test_two_datasets_into_one_validation_root(dataset, tmp_path):
    val, other = tmp_path / 'set_val', write_dataset(tmp_path / 'other', {'x': 2, 'y': 2})

    def intruder(plan):
        (val / '.lada-split').mkdir(parents=True)

    split_dataset(dataset, val, arguments(5), dry_run=True, say=quiet, planned=intruder)
    with pytest.raises(LadaError, match=r'another split into .* is unfinished'):
        split_dataset(other, val, arguments(2), say=quiet)
    (val / '.lada-split').rmdir()

    def beaten(plan):
        split_dataset(other, val, arguments(2), say=quiet)

    state = snapshot(dataset)
    with pytest.raises(LadaError, match='cannot write to the validation root'):
        split_dataset(dataset, val, arguments(5), say=quiet, planned=beaten)
    assert snapshot(dataset) == state and len(stems(val)) == 2
    undo_split(other, say=quiet)
    for folder in FOLDERS:
        (val / folder).mkdir(parents=True)
    with pytest.raises(LadaError, match='cannot write to the validation root'):
        split_dataset(
            dataset,
            val,
            arguments(5),
            say=quiet,
            planned=lambda plan: (val / '.lada-split').mkdir(),
        )
    assert snapshot(dataset) == state and stems(val) == set()


def test_validation_clips_that_are_gone(dataset):
    _, val = split(dataset, 5, 'copy')
    shutil.rmtree(val)
    before = snapshot(dataset)
    with pytest.raises(LadaError, match=r'all 5 validation clips are gone .*--undo'):
        split(dataset, 5, 'copy')
    assert snapshot(dataset) == before
    undo_split(dataset, say=quiet)
    split(dataset, 5, 'copy')
    assert len(stems(val)) == 5


def test_full_disk_on_the_way(dataset, script):
    """Writing fails after 20 kB a file, as on a full disk: nothing is lost, and the split can be
    finished or undone.
    """
    for stem in stems(dataset):
        (dataset / FOLDERS[0] / f'{stem}.mp4').write_bytes(os.urandom(60_000))
    before = snapshot(dataset)
    full = (
        'import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); '
        'resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))'
    )
    call = [
        SPLIT,
        '--src-root',
        dataset,
        '--val-size',
        '5',
        '--mode',
        'copy',
        '--remove-from-train',
        '--yes',
    ]
    result = script(*call, prelude=full)
    assert result.returncode == 1 and len(result.stderr.splitlines()) == 1
    assert f'File too large: {dataset}_val/crop' in result.stderr
    assert (
        'nothing is lost' in result.stderr
        and 'run the same command again, or use --undo' in result.stderr
    )
    after = snapshot(dataset)
    assert {k: after[k] for k in before} == before
    shutil.copytree(dataset.parent, dataset.parent.with_name(dataset.parent.name + '_other'))
    assert script(*call).returncode == 0
    assert len(stems(dataset.with_name('set_val'))) == 5 and len(stems(dataset)) == 12
    other = dataset.parent.with_name(dataset.parent.name + '_other') / 'set'
    assert script(SPLIT, '--src-root', other, '--undo', '--yes').returncode == 0
    assert snapshot(other) == before and not other.with_name('set_val').exists()


def test_read_only_dataset(dataset, monkeypatch):
    real = Path.mkdir

    def mkdir(self, *args, **kwargs):
        if self.name == '.lada-split':
            raise OSError(30, 'Read-only file system', str(self))
        return real(self, *args, **kwargs)

    monkeypatch.setattr(Path, 'mkdir', mkdir)
    refused(dataset, 'cannot write the journal.*Read-only')


@pytest.mark.parametrize('gone_for_good', [False, True])
def test_file_that_goes_during_the_run(dataset, gone_for_good):
    """A file disappears between plan and transfer: a clear line, and the split can be taken
    back.
    """
    before = snapshot(dataset)

    def vandal(plan):
        (dataset / plan.moved[1].files[1].path).rename(dataset / 'hidden')

    with pytest.raises(LadaError, match='disappeared while splitting'):
        split_dataset(
            dataset, dataset.with_name('set_val'), arguments(5), say=quiet, planned=vandal
        )
    with pytest.raises(LadaError, match=r'cannot undo: .* neither'):
        undo_split(dataset, say=quiet)
    path = Manifest.read(dataset / '.lada-split' / 'plan.jsonl').moved()[1].files[1].path
    if gone_for_good:
        (dataset / path).write_bytes(b'')
    else:
        (dataset / 'hidden').rename(dataset / path)
    undo_split(dataset, say=quiet)
    if gone_for_good:
        (dataset / 'hidden').rename(dataset / path)
    assert snapshot(dataset) == before and not dataset.with_name('set_val').exists()


@pytest.mark.parametrize('which', [0, 1])
def test_file_that_changes_during_the_run(dataset, which):
    def vandal(plan):
        path = dataset / plan.moved[1].files[which].path
        path.write_bytes(path.read_bytes() + b' ')

    with pytest.raises(LadaError, match='changed while splitting'):
        split_dataset(
            dataset, dataset.with_name('set_val'), arguments(5, 'copy'), say=quiet, planned=vandal
        )
    undo_split(dataset, say=quiet)
    assert len(stems(dataset)) == 17 and not dataset.with_name('set_val').exists()


def test_file_that_changes_between_copy_and_removal(dataset, monkeypatch):
    def sync():
        for path in (dataset / FOLDERS[0]).iterdir():
            path.write_text(path.read_text().upper())

    monkeypatch.setattr(os, 'sync', sync)
    with pytest.raises(LadaError, match='changed while splitting'):
        split(dataset, 5, 'copy', True)
    assert {path.read_text()[:5] for path in (dataset / FOLDERS[0]).iterdir()} == {'VIDEO'}
    assert len(stems(dataset)) >= 16


def test_file_that_changes_while_it_is_copied(dataset, monkeypatch):
    before = snapshot(dataset)
    seen = iter(range(1000))
    monkeypatch.setattr(
        transfer.os, 'fstat', lambda fd: SimpleNamespace(st_size=1, st_mtime_ns=next(seen))
    )
    with pytest.raises(LadaError, match='changed while splitting'):
        transfer.Transfer(
            dataset, dataset.parent, 'copy', False, dataset.parent / 'temporary'
        ).forward(ClipFile(f'{FOLDERS[0]}/a.mp4-000000.mp4', len('video a.mp4-000000')))
    assert snapshot(dataset) == before and not (dataset.parent / FOLDERS[0]).exists()


def test_ctrl_c_says_how_to_go_on(dataset, monkeypatch):
    before = snapshot(dataset)
    real = transfer.Transfer.forward
    count = iter(range(9))

    def forward(self, file):
        if next(count) == 7:
            raise KeyboardInterrupt
        return real(self, file)

    monkeypatch.setattr(transfer.Transfer, 'forward', forward)
    with pytest.raises(
        KeyboardInterrupt, match='nothing is lost: run the same command again, or use --undo'
    ):
        split(dataset, 5)
    undo_split(dataset, say=quiet)
    assert snapshot(dataset) == before


def test_clip_that_appears_during_the_run(dataset):
    val = dataset.with_name('set_val')

    def add_one(plan):
        write_clip(dataset, 'late.mp4', 0)

    split_dataset(dataset, val, arguments(5), say=quiet, planned=add_one)
    assert 'late.mp4-000000' in stems(dataset) and len(stems(val)) == 5


def test_undo_refuses_to_lose_work(dataset):
    _, val = split(dataset, 5, 'copy')
    path = next((val / FOLDERS[1]).iterdir())
    path.write_text('edited by hand')
    state = snapshot(dataset, val)
    with pytest.raises(LadaError, match=r'cannot undo: .* is different'):
        undo_split(dataset, say=quiet)
    assert snapshot(dataset, val) == state


def test_undo_without_a_split(dataset, script):
    before = snapshot(dataset)
    result = script(SPLIT, '--src-root', dataset, '--undo', '--yes')
    assert (
        result.returncode == 1
        and 'nothing to undo' in result.stderr
        and snapshot(dataset) == before
    )


def test_damaged_manifest(dataset):
    split(dataset, 5, 'copy')
    path = dataset / MANIFEST_NAME
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(LadaError, match='a damaged record of a split'):
        split(dataset, 5, 'copy')


def test_one_at_a_time(dataset):
    def intruder(plan):
        with pytest.raises(LadaError, match='another run works on this dataset'):
            split(dataset, 5)

    split_dataset(dataset, dataset.with_name('set_val'), arguments(5), say=quiet, planned=intruder)
    assert len(stems(dataset)) == 12


def test_wrong_arguments_exit_2(dataset, script):
    assert (
        script(SPLIT, '--src-root', dataset, '--val-size', '1', '--val-ratio', '0.1').returncode
        == 2
    )
    assert script(SPLIT, '--src-root', dataset, '--val-size', 'many').returncode == 2
    assert script(SPLIT, '--src-root', dataset).returncode == 1
