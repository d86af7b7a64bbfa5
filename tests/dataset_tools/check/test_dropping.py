"""Clips that a list names are moved aside, all or none, and come back."""

import json
import shutil

import pytest
from fake_clips import FOLDERS, snapshot, stems, write_clip, write_dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from lada.data.packed import PackedDataset
from lada.dataset_tools.check.marks import read_marks
from lada.dataset_tools.packing import pack_dataset
from lada.errors import LadaError
from tests.dataset_tools.split.test_kills import KILL_AT

CHECK = 'check-dataset.py'
SOURCES = {'a.mp4': 3, 'b 二.mp4': 2}
# What a file system on Linux takes, and what JavaScript calls them by.
NAMES = st.text(st.characters(exclude_characters='/\0', exclude_categories=()), min_size=1).map(
    lambda name: name.encode('utf-16-le', 'surrogatepass').decode('utf-16-le', 'surrogatepass')
)


def line(name: str) -> str:
    """The rule of the documentation: in quotes where the plain name would be misread."""
    plain = name == name.strip() and name.isprintable() and name[0] not in '#"'
    return name if plain else json.dumps(name)


def write_marks(folder, *names):
    path = folder / 'drop.txt'
    path.write_text('# a comment\n\n' + ''.join(f'{line(name)}\n' for name in names))
    return path


@settings(deadline=None)
@given(st.lists(NAMES, min_size=1, unique=True), st.sampled_from(['\n', '\r\n']), st.booleans())
def test_any_names_are_read_as_they_were_written(tmp_path_factory, names, end, mark):
    path = tmp_path_factory.getbasetemp() / 'any.txt'
    text = ('\ufeff' if mark else '') + end.join(['# to drop', *map(line, names), '', ''])
    path.write_bytes(text.encode())
    assert read_marks(path) == names


@settings(deadline=None)
@given(st.binary())
def test_any_bytes_are_a_list_or_one_line(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / 'bytes.txt'
    path.write_bytes(content)
    try:
        assert all(isinstance(name, str) for name in read_marks(path))
    except LadaError as error:
        assert '\n' not in str(error)


@pytest.fixture
def root(tmp_path):
    return write_dataset(tmp_path / 'set', SOURCES)


def test_dropped_clips_come_back(root, here, tmp_path):
    write_clip(root, 'm.mp4', 0, mosaic=True)
    before = snapshot(root)
    marks = write_marks(tmp_path, 'a.mp4-000001', 'm.mp4-000000', 'a.mp4-000001')
    result = here(CHECK, root, '--drop', marks)
    assert (result.returncode, result.stderr) == (0, '')
    assert result.stdout == '2 clips moved to quarantine; --fix restore undoes it\n'
    assert stems(root) == {'a.mp4-000000', 'a.mp4-000002', 'b 二.mp4-000000', 'b 二.mp4-000001'}
    assert sum(path.is_file() for path in (root / 'quarantine').rglob('*')) == 3 + 5 + 1
    # A longer list, as it grows in a repository.
    marks = write_marks(tmp_path, 'a.mp4-000001', 'b 二.mp4-000001', 'm.mp4-000000')
    result = here(CHECK, root, '--drop', marks, '--json')
    assert json.loads(result.stdout) == {'root': str(root), 'clips': 1, 'before': 2}
    assert here(CHECK, root, '--fix', 'restore').stdout == '11 files moved back\n'
    assert snapshot(root) == before


def test_unknown_clips_are_named_and_nothing_moves(root, here, tmp_path):
    before = snapshot(root)
    marks = write_marks(tmp_path, 'a.mp4-000001', 'no such-000000', '../set/a.mp4-000000', 'x')
    result = here(CHECK, root, '--drop', marks)
    assert result.returncode == 1 and result.stderr.count('\n') == 1
    assert (
        '3 clips of' in result.stderr and 'no such-000000, ../set/a.mp4-000000, x' in result.stderr
    )
    assert snapshot(root) == before


@pytest.mark.parametrize(
    ('content', 'said'),
    [
        (b'', 'names none'),
        (b'# nothing\n', 'names none'),
        (b'\xff\xfe', 'not UTF-8'),
        (b'a\n"b\n', 'line 2 of'),
        (None, 'cannot read'),
    ],
)
def test_what_is_no_list(root, here, tmp_path, content, said):
    if content is not None:
        (tmp_path / 'drop.txt').write_bytes(content)
    before = snapshot(root)
    result = here(CHECK, root, '--drop', tmp_path / 'drop.txt')
    assert result.returncode == 1 and said in result.stderr and result.stderr.count('\n') == 1
    assert snapshot(root) == before
    assert (
        'no such dataset' in here(CHECK, root / 'no', '--drop', write_marks(tmp_path, 'a')).stderr
    )


def test_files_in_a_folder_a_source_go_along(root, here, tmp_path):
    path = root / FOLDERS[2] / 'a.mp4-000000.json'
    data = json.loads(path.read_text())
    (root / FOLDERS[0] / 'a').mkdir()
    shutil.move(root / FOLDERS[0] / 'a.mp4-000000.mp4', root / FOLDERS[0] / 'a' / 'other.mp4')
    path.write_text(json.dumps(data | {'video_path': f'../{FOLDERS[0]}/a/other.mp4'}))
    before = snapshot(root)
    here(CHECK, root, '--drop', write_marks(tmp_path, 'a.mp4-000000'))
    assert (root / 'quarantine' / FOLDERS[0] / 'a' / 'other.mp4').exists()
    assert not (root / FOLDERS[0] / 'a' / 'other.mp4').exists()
    assert here(CHECK, root, '--fix', 'restore').stdout == '3 files moved back\n'
    assert snapshot(root) == before


@pytest.mark.parametrize('packed', [False, True])
def test_sides_in_one_folder(tmp_path, here, packed):
    root = tmp_path / 'set'
    for side, sources in (('train', SOURCES), ('val', {'a.mp4': 1, 'v.mp4': 1})):
        single = write_dataset(tmp_path / f'single {side}', sources)
        if packed:
            pack_dataset([single], root / side, 10**9, say=lambda line: None)
        else:
            shutil.copytree(single, root / side)
    before = snapshot(root)
    bad = write_marks(tmp_path, 'train/a.mp4-000000', 'a.mp4-000000', 'val/b 二.mp4-000000')
    result = here(CHECK, root, '--drop', bad)
    assert result.returncode == 1 and ': a.mp4-000000, val/b 二.mp4-000000;' in result.stderr
    assert snapshot(root) == before
    marks = write_marks(tmp_path, 'train/a.mp4-000002', 'val/a.mp4-000000')
    assert here(CHECK, root, '--drop', marks).stdout.startswith('2 clips moved')
    left = [
        set(PackedDataset.open(root / side).stems()) if packed else stems(root / side)
        for side in ('train', 'val')
    ]
    assert len(left[0]) == 4 and 'a.mp4-000002' not in left[0] and left[1] == {'v.mp4-000000'}
    back = here(CHECK, root, '--fix', 'restore')
    assert back.stdout.count('moved back') == 2, back.stderr
    assert snapshot(root) == before
    left = [len(PackedDataset.open(root / side)) for side in ('train', 'val')] if packed else [5, 2]
    assert left == [5, 2]


@pytest.mark.slow
@pytest.mark.parametrize('packed', [False, True])
@pytest.mark.parametrize('count', range(1, 9, 2))
def test_killed_half_way(tmp_path, root, script, here, packed, count):
    """The same call goes on, and restoring takes everything back, also right after the kill."""
    if packed:
        pack_dataset([root], tmp_path / 'packed', 10**9, say=lambda line: None)
        root = tmp_path / 'packed'
    marks = write_marks(tmp_path, 'a.mp4-000000', 'b 二.mp4-000001')
    all_clips = names_in(root)
    killed = script(
        CHECK, root, '--drop', marks, prelude=KILL_AT.format(count=count, before=count % 4 == 1)
    )
    assert killed.returncode == -9, killed.stderr
    shutil.copytree(root, tmp_path / 'copy')
    result = here(CHECK, root, '--drop', marks)
    assert result.returncode == 0, result.stderr
    assert names_in(root) == all_clips - {'a.mp4-000000', 'b 二.mp4-000001'}
    if not packed:
        assert not list(root.glob('crop_unscaled_*/a.mp4-000000.*'))
    assert here(CHECK, root, '--fix', 'restore').returncode == 0
    assert names_in(root) == all_clips
    here(CHECK, tmp_path / 'copy', '--fix', 'restore')
    assert names_in(tmp_path / 'copy') == all_clips


def names_in(root):
    return stems(root) if (root / FOLDERS[2]).exists() else set(PackedDataset.open(root).stems())


def test_nothing_is_dropped_while_a_split_is_unfinished(root, here, tmp_path):
    (root / '.lada-split').mkdir()
    before = snapshot(root)
    result = here(CHECK, root, '--drop', write_marks(tmp_path, 'a.mp4-000000'))
    assert result.returncode == 1 and 'is unfinished' in result.stderr
    assert snapshot(root) == before
    assert here(CHECK, root, '--drop', tmp_path / 'drop.txt', '--fix', 'restore').returncode == 1
