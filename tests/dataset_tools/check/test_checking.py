"""Checking datasets and splits: every kind of damage is named, leaks are found, clean data
passes.
"""

import json
import random
import shutil

import cv2
import numpy as np
import pytest
from fake_clips import FOLDERS, snapshot, stems
from hypothesis import given, settings
from hypothesis import strategies as st

from lada.data import ClipMetadata
from lada.dataset_tools.check.checking import check_dataset
from lada.dataset_tools.check.leakage import SHEET_LABEL, SHEET_SIDE, contact_sheet, find_leaks
from lada.dataset_tools.check.quarantine import quarantine, restore
from lada.dataset_tools.frame_hashes import MAX_DISTANCE, near_matches, view_hashes
from lada.errors import LadaError
from lada.video import clip_encoding, mask_encoding, read_frames, write_video

CHECK = 'check-dataset.py'
BLOCKS = dict(
    mosaic_size_v1_normal=4.0, mosaic_size_v1_bounding=4.0, mosaic_size_v2=4.0, mosaic_size_v3=4.0
)


def write_real_clip(root, name, number, frames, mask=None, crf='12', sha256='0' * 64):
    """Write a clip that decodes; without ``mask`` a box in the middle is masked."""
    if mask is None:
        mask = np.zeros(frames.shape[:3], np.uint8)
        mask[:, 20:44, 20:44] = 255
    stem = f'{name}-{number:06d}'
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True, exist_ok=True)
    video, mask_file = root / FOLDERS[0] / f'{stem}.mp4', root / FOLDERS[1] / f'{stem}.mkv'
    encoding = clip_encoding()
    encoding['options'] |= {'crf': crf}
    write_video(video, frames, 25, **encoding)
    write_video(mask_file, mask, 25, **mask_encoding())
    shape = frames.shape[1:3]
    ClipMetadata(
        stem=stem,
        name=name,
        source={'file': name, 'sha256': sha256, 'start_frame': 0},
        fps=25.0,
        frames_count=len(frames),
        orig_shape=shape,
        scene_shape=shape,
        base_mosaic_block_size=BLOCKS,
        pad=[[0, 0, 0, 0]] * len(frames),
        video_path=video,
        mask_path=mask_file,
    ).to_file(root / FOLDERS[2] / f'{stem}.json')
    return stem


@pytest.fixture(scope='module')
def pictures(bikes):
    """Six clips of 8 frames, 64 x 64, from different shots or places."""
    parts = [(5, 0), (40, 0), (90, 0), (150, 0), (200, 0), (5, 300)]
    return [
        np.stack(
            [
                cv2.resize(f[:272, x : x + 272], (64, 64), interpolation=cv2.INTER_AREA)
                for f in read_frames(bikes, start, start + 8)
            ]
        )
        for start, x in parts
    ]


@pytest.fixture(scope='module')
def clean(tmp_path_factory, pictures):
    root = tmp_path_factory.mktemp('clean') / 'set'
    for i, frames in enumerate(pictures[:4]):
        write_real_clip(root, f'video {i}.mp4', 0, frames, sha256=f'{i:064x}')
    return root


@pytest.fixture
def dataset(clean, tmp_path):
    shutil.copytree(clean, tmp_path / 'set')
    return tmp_path / 'set'


def change(root, stem, **values):
    path = root / FOLDERS[2] / f'{stem}.json'
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def kinds(root):
    return {(p.clip, p.kind) for p in check_dataset(root)[1]}


def test_clean_dataset(dataset, here):
    assert check_dataset(dataset) == (4, [])
    before = snapshot(dataset)
    result = here(CHECK, dataset, '--workers', '1', '--fix', 'quarantine')
    assert result.returncode == 0 and '4 clips, 0 problems' in result.stdout
    assert snapshot(dataset) == before


def test_every_kind_of_damage_is_named(dataset, pictures):
    stem = 'video {}.mp4-000000'.format
    (dataset / FOLDERS[1] / f'{stem(0)}.mkv').unlink()
    path = dataset / FOLDERS[2] / f'{stem(1)}.json'
    path.write_bytes(path.read_bytes()[:50])
    (dataset / FOLDERS[0] / f'{stem(2)}.mp4').write_bytes(b'')
    change(dataset, stem(3), frames_count=9, pad=[[0, 0, 0, 0]] * 9)
    write_real_clip(dataset, 'short', 0, pictures[4], np.full((7, 64, 64), 255, np.uint8))
    write_real_clip(dataset, 'small', 0, pictures[4], np.full((8, 32, 32), 255, np.uint8))
    write_real_clip(dataset, 'nothing', 0, pictures[4], np.zeros((8, 64, 64), np.uint8))
    write_real_clip(dataset, 'padded', 0, pictures[4])
    change(dataset, 'padded-000000', pad=[[32, 32, 0, 0]] * 8)
    write_real_clip(dataset, 'first', 0, pictures[4])
    write_real_clip(dataset, 'second', 0, pictures[4])
    write_real_clip(dataset, 'leaving', 0, pictures[5])
    change(dataset, 'leaving-000000', video_path='../../elsewhere.mp4')
    (dataset / FOLDERS[0] / 'alone.mp4').write_bytes(b'x')
    change(dataset, write_real_clip(dataset, 'wrong size', 0, pictures[5]), scene_shape=[64, 60])
    for name, frames in (
        ('short mosaic', pictures[5][:7] // 2),
        ('small mosaic', pictures[5][:, :32, :32]),
    ):
        stem_here = write_real_clip(dataset, name, 0, pictures[5] // 3 + len(name))
        write_video(dataset / FOLDERS[0] / f'{name}.mp4', frames, 25, **clip_encoding())
        change(dataset, stem_here, mosaic_video_path=f'../{FOLDERS[0]}/{name}.mp4')
    total, problems = check_dataset(dataset)
    assert total == 14
    assert {(p.clip, p.kind) for p in problems} == {
        (stem(0), 'missing'),
        (stem(1), 'metadata'),
        (stem(2), 'undecodable'),
        (stem(3), 'frames'),
        ('short-000000', 'frames'),
        ('small-000000', 'size'),
        ('nothing-000000', 'mask'),
        ('padded-000000', 'size'),
        ('wrong size-000000', 'size'),
        ('short mosaic-000000', 'frames'),
        ('small mosaic-000000', 'size'),
        ('second-000000', 'duplicate'),
        ('leaving-000000', 'metadata'),
        ('alone', 'orphan'),
    }
    assert all(p.detail and '\n' not in p.detail for p in problems)


def test_quarantine(dataset, pictures, here):
    sound = snapshot(dataset)
    write_real_clip(dataset, 'nothing', 0, pictures[4], np.zeros((8, 64, 64), np.uint8))
    (dataset / FOLDERS[0] / 'alone.mp4').write_bytes(b'x')
    damaged = snapshot(dataset)
    result = here(CHECK, dataset, '--json', '--fix', 'quarantine', '--workers', '1')
    assert result.returncode == 1
    report = json.loads(result.stdout)
    assert report['clips'] == 5 and report['quarantined_files'] == 4
    assert [p['kind'] for p in report['problems']] == ['orphan', 'mask']
    assert kinds(dataset) == set()
    aside = dataset / 'quarantine'
    assert kinds(aside) == {('nothing-000000', 'mask'), ('alone', 'orphan')}
    assert here(CHECK, dataset, '--fix', 'restore').stdout == '4 files moved back\n'
    assert snapshot(dataset) == damaged
    assert here(CHECK, dataset, '--fix', 'restore').returncode == 1
    quarantine(dataset, check_dataset(dataset)[1])
    (dataset / FOLDERS[0] / 'alone.mp4').write_bytes(b'y')
    before = snapshot(dataset)
    with pytest.raises(LadaError, match=r'cannot restore: .*alone.mp4 is there again'):
        restore(dataset)
    assert snapshot(dataset) == before
    (dataset / FOLDERS[0] / 'alone.mp4').unlink()
    shutil.rmtree(aside)
    assert snapshot(dataset) == sound


def test_quarantine_overwrites_nothing_and_leaves_shared_files(dataset, pictures):
    for _ in range(2):
        (dataset / FOLDERS[0] / 'alone.mp4').write_bytes(b'x')
        quarantine(dataset, check_dataset(dataset)[1])
    assert sorted(p.name for p in (dataset / 'quarantine' / FOLDERS[0]).iterdir()) == [
        'alone.1.mp4',
        'alone.mp4',
    ]
    with pytest.raises(LadaError, match='is in quarantine 2 times'):
        restore(dataset)
    stem = write_real_clip(dataset, 'zz', 0, pictures[4])
    change(dataset, stem, video_path=f'../{FOLDERS[0]}/video 0.mp4-000000.mp4')
    problems = check_dataset(dataset)[1]
    assert {(p.clip, p.kind) for p in problems} == {(stem, 'shared')}
    quarantine(dataset, problems)
    assert kinds(dataset) == set() and len(stems(dataset)) == 4


def test_nothing_is_fixed_while_a_split_is_unfinished(dataset):
    (dataset / FOLDERS[1] / 'video 0.mp4-000000.mkv').unlink()
    (dataset / '.lada-split').mkdir()
    before = snapshot(dataset)
    with pytest.raises(LadaError, match='is unfinished, its files are on the move'):
        quarantine(dataset, check_dataset(dataset)[1])
    assert snapshot(dataset) == before


def test_no_dataset(tmp_path, here):
    result = here(CHECK, tmp_path / 'no')
    assert (
        result.returncode == 1
        and len(result.stderr.splitlines()) == 1
        and 'no such dataset' in result.stderr
    )
    assert here(CHECK).returncode == 1
    (tmp_path / FOLDERS[2]).mkdir()
    with pytest.raises(LadaError, match='an empty dataset'):
        check_dataset(tmp_path)


@pytest.mark.parametrize('suffix', ['mp4', 'mkv', 'json'])
def test_damaged_bytes_never_crash(clean, tmp_path, suffix):
    """Files cut short or with flipped bytes: checked without a crash; a cut file is named."""
    root = tmp_path / 'set'
    folder = {'mp4': FOLDERS[0], 'mkv': FOLDERS[1], 'json': FOLDERS[2]}[suffix]
    original = (clean / folder / f'video 0.mp4-000000.{suffix}').read_bytes()
    for number in range(15):
        rng = random.Random(number)
        shutil.rmtree(root, ignore_errors=True)
        for name in FOLDERS:
            (root / name).mkdir(parents=True)
            kept = next((clean / name).glob('video 0*'))
            shutil.copy(kept, root / name / kept.name)
        data = bytearray(original)
        if number % 2:
            del data[rng.randrange(len(data) * 9 // 10) :]
        else:
            for _ in range(rng.randint(1, 20)):
                data[rng.randrange(len(data))] = rng.randrange(256)
        (root / folder / f'video 0.mp4-000000.{suffix}').write_bytes(data)
        problems = check_dataset(root)[1]
        assert problems or number % 2 == 0


# ---- leakage


@pytest.fixture
def sides(dataset, pictures, tmp_path):
    """A clean split: training has pictures 0 to 3, validation 4 and 5."""
    val = tmp_path / 'set_val'
    for i in (4, 5):
        write_real_clip(val, f'video {i}.mp4', 0, pictures[i], sha256=f'{i:064x}')
    return dataset, val


def leaks_of(sides):
    return {
        (leak.reason, leak.train.split('-')[0], leak.val.split('-')[0])
        for leak in find_leaks(*sides)[0]
    }


def test_clean_split_does_not_leak(sides, here, tmp_path):
    result = here(CHECK, '--leakage', *sides, '--sheet', tmp_path / 'sheet.png', '--workers', '1')
    assert (
        result.returncode == 0 and '4 training clips, 2 validation clips: 0 pairs' in result.stdout
    )
    assert not (tmp_path / 'sheet.png').exists()


def test_same_source_leaks(sides, pictures):
    write_real_clip(sides[1], 'video 0.mp4', 7, pictures[4] // 2, sha256='a' * 64)
    write_real_clip(sides[1], 'renamed.mp4', 0, pictures[5] // 2, sha256=f'{1:064x}')
    assert leaks_of(sides) == {
        ('source', 'video 0.mp4', 'video 0.mp4'),
        ('source', 'video 1.mp4', 'renamed.mp4'),
    }


def test_same_content_leaks(sides):
    train, val = sides
    shutil.copytree(
        train,
        val,
        dirs_exist_ok=True,
        ignore=lambda folder, names: [n for n in names if '.' in n and not n.startswith('video 2')],
    )
    change(val, 'video 2.mp4-000000', name='other', source=None)
    assert leaks_of(sides) == {('content', 'video 2.mp4', 'video 2.mp4')}


def test_reencoded_shifted_and_resized_copies_leak(sides, pictures, here, tmp_path):
    worse = np.stack([cv2.resize(f, (80, 80)) for f in pictures[3][2:]])
    write_real_clip(sides[1], 'copy.mp4', 0, worse, crf='26', sha256='b' * 64)
    sheet = tmp_path / 'sheet.png'
    result = here(CHECK, '--leakage', *sides, '--sheet', sheet, '--workers', '1', '--json')
    assert result.returncode == 1
    leaks = json.loads(result.stdout)['leaks']
    assert [(leak['reason'], leak['train'], leak['val']) for leak in leaks] == [
        ('frames', 'video 3.mp4-000000', 'copy.mp4-000000')
    ]
    picture = cv2.imread(str(sheet))
    assert picture is not None and picture.shape[1] > picture.shape[0] > 64


@pytest.mark.parametrize(
    ('what', 'change', 'said'),
    [
        ('mirrored', lambda f: f[:, :, ::-1], 'one mirrored'),
        ('cropped by 8 %', lambda f: f[:, 11:-11, 11:-11], 'one cropped'),
        ('cropped at one corner by 3 %', lambda f: f[:, 8:, 8:], ''),
        (
            'mirrored, cropped',
            lambda f: f[:, 11:-11, 11:-11][:, :, ::-1],
            'one mirrored, one cropped',
        ),
        ('with another border', lambda f: np.pad(f, ((0, 0), (30, 30), (0, 60), (0, 0))), ''),
        ('brighter', lambda f: np.clip(f.astype(float) * 1.1 + 8, 0, 255).astype(np.uint8), ''),
    ],
)
@pytest.mark.parametrize('from_train', [True, False])
def test_changed_copies_leak(dataset, tmp_path, bikes, what, change, said, from_train):
    frames = np.stack([f[:, 180:452] for f in read_frames(bikes, 120, 126)])
    roots = dataset, tmp_path / 'set_val'
    copy = np.ascontiguousarray(change(frames))
    for root, name, pictures in zip(
        roots, 'ab', (frames, copy) if from_train else (copy, frames), strict=True
    ):
        write_real_clip(
            root,
            name,
            0,
            pictures,
            np.full(pictures.shape[:3], 255, np.uint8),
            sha256=name * 64,
            crf='26',
        )
    leaks, _ = find_leaks(*roots)
    assert [(leak.reason, leak.train, leak.val) for leak in leaks] == [
        ('frames', 'a-000000', 'b-000000')
    ]
    assert leaks[0].detail.endswith(said)


def test_padded_clips_of_other_pictures_do_not_leak(tmp_path, pictures):
    for number, frames in enumerate(pictures):
        root = tmp_path / ('set_val' if number % 2 else 'set')
        padded = np.pad(frames, ((0, 0), (30, 30), (0, 0), (0, 0)))
        write_real_clip(
            root,
            f'{number}',
            0,
            padded,
            np.full(padded.shape[:3], 255, np.uint8),
            sha256=f'{number:064x}',
        )
    leaks = find_leaks(tmp_path / 'set', tmp_path / 'set_val')[0]
    assert {(leak.train, leak.val) for leak in leaks} == set()


def test_sheet_has_a_row_per_pair(sides, pictures):
    for number in range(3):
        write_real_clip(sides[1], 'video 0.mp4', number, pictures[4] // (number + 1))
    leaks, _ = find_leaks(*sides)
    sheet = cv2.imdecode(np.frombuffer(contact_sheet(leaks, *sides), np.uint8), cv2.IMREAD_COLOR)
    assert len(leaks) == 3
    assert sheet.shape[:2] == (3 * (SHEET_SIDE + SHEET_LABEL), 2 * SHEET_SIDE)


def test_leakage_refuses_broken_or_equal_sides(sides):
    with pytest.raises(LadaError, match='the same folder'):
        find_leaks(sides[0], sides[0])
    (sides[1] / FOLDERS[1] / 'video 4.mp4-000000.mkv').unlink()
    with pytest.raises(LadaError, match=r'1 clip of .* cannot be read: video 4'):
        find_leaks(*sides)


def test_flat_frames_have_no_hash():
    for level in (0, 128):
        assert view_hashes(np.full((50, 70, 3), level, np.uint8)) == []


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.integers(0, 2**63 - 1), max_size=30),
    st.lists(st.integers(0, 2**63 - 1), max_size=30),
    st.data(),
)
def test_search_finds_all_near_matches(queries, base, data):
    for value in list(base)[:5]:
        for bit in data.draw(st.lists(st.integers(0, 62), max_size=9)):
            value ^= 1 << bit
        queries.append(value)
    expected = {
        (i, j, (q ^ b).bit_count())
        for i, q in enumerate(queries)
        for j, b in enumerate(base)
        if (q ^ b).bit_count() <= MAX_DISTANCE
    }
    found = near_matches(np.array(queries, np.uint64), np.array(base, np.uint64), block=7)
    assert set(zip(*(column.tolist() for column in found), strict=True)) == expected
