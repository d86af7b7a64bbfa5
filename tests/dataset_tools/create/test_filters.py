"""Creation: clips of no use, duplicates, boxes and shards."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from lada.data import ClipMetadata
from lada.dataset_tools.check.leakage import find_leaks
from lada.dataset_tools.create.creation import create_dataset
from lada.dataset_tools.create.duplicates import Fingerprint, FingerprintIndex
from lada.dataset_tools.create.planning import CreationSettings
from lada.dataset_tools.create.sources import INDEX_NAME, Shard
from lada.dataset_tools.create.statistics import blurriness
from lada.errors import LadaError
from lada.mosaic import MosaicLook, draw_mosaic
from lada.video import iter_frames, read_frames, write_video
from lada.video.boxes import read_boxes

SETTINGS = CreationSettings(min_frames=10, max_frames=12, min_resolution=64)


def quiet(line):
    pass


@pytest.fixture(scope='module')
def frames(bikes):
    """24 frames of one shot, 64 x 96."""
    return np.stack(
        [
            cv2.resize(frame, (96, 64), interpolation=cv2.INTER_AREA)
            for frame in iter_frames(bikes, 0, 24)
        ]
    )


def clips_of(root):
    return [
        ClipMetadata.from_file(path)
        for path in sorted((root / 'crop_unscaled_meta').glob('*.json'))
    ]


@pytest.mark.parametrize(
    ('spoil', 'reason'),
    [
        (lambda frames: frames // 16, 'darker than 16 (--min-light)'),
        (
            lambda frames: np.repeat(frames[:1], len(frames), axis=0),
            'frozen, changes below 0.1 (--min-change)',
        ),
        (
            lambda frames: np.stack([cv2.GaussianBlur(frame, (0, 0), 8) for frame in frames]),
            'blurrier than 0.7 (--max-blur)',
        ),
    ],
)
def test_clips_of_no_use_are_dropped_with_the_reason(frames, tmp_path, spoil, reason):
    folder = tmp_path / 'in'
    folder.mkdir()
    write_video(folder / 'good.mp4', frames, 25)
    write_video(folder / 'spoilt.mp4', spoil(frames), 25)
    results = create_dataset([folder], tmp_path / 'set', SETTINGS, say=quiet)
    assert [(r.clips, dict(r.dropped)) for r in results] == [(2, {}), (0, {reason: 2})]
    off = CreationSettings(
        min_frames=10, max_frames=12, min_resolution=0, min_light=0, min_change=0, max_blur=0
    )
    assert create_dataset([folder / 'spoilt.mp4'], tmp_path / 'all', off, say=quiet)[0].clips == 2


def test_shots_with_a_mosaic_are_dropped_and_counted(bikes, tmp_path):
    """Two shots of 12 frames, the second with a mosaic that moves."""
    frames = np.stack([*iter_frames(bikes, 4, 16), *iter_frames(bikes, 120, 132)])
    masks = np.zeros(frames.shape[:3], np.uint8)
    for number in range(12, 24):
        masks[number, 50:200, 180 + 3 * number : 400 + 3 * number] = 255
    drawn, _ = draw_mosaic(frames, masks, MosaicLook('squa_avg', 12))
    write_video(tmp_path / 'a.mp4', drawn, 25)
    write_video(tmp_path / 'clean.mp4', frames, 25)
    reason = 'shot with a mosaic already (--keep-mosaicked)'
    said = []
    settings = CreationSettings(min_frames=10, max_blur=0, min_change=0, drop_duplicates=False)
    inputs = [tmp_path / 'a.mp4', tmp_path / 'clean.mp4']
    results = create_dataset(inputs, tmp_path / 'set', settings, say=said.append)
    assert [(r.clips, dict(r.dropped)) for r in results] == [(1, {reason: 1}), (2, {})]
    assert f'dropped 1: {reason}' in said
    assert [clip.censoring_detected for clip in clips_of(tmp_path / 'set')] == [False] * 3
    kept = replace(settings, drop_mosaicked=False)
    (result,) = create_dataset(inputs[:1], tmp_path / 'all', kept, say=quiet)
    assert (result.clips, dict(result.dropped)) == (2, {})
    assert [clip.censoring_detected for clip in clips_of(tmp_path / 'all')] == [False, True]


def test_small_sources_are_left_out_by_name(frames, tmp_path):
    write_video(tmp_path / 'a.mp4', frames, 25)
    with pytest.raises(LadaError, match=r'a\.mp4: nothing, 96x64 is smaller than 128'):
        create_dataset(
            [tmp_path / 'a.mp4'], tmp_path / 'set', CreationSettings(min_frames=10), say=quiet
        )


def test_blur_grows_with_blurring_and_not_with_contrast(frames):
    values = [blurriness(frames[0])] + [
        blurriness(cv2.GaussianBlur(frames[0], (0, 0), s)) for s in (1, 2, 4)
    ]
    assert values == sorted(values) and 0 < values[0] < 0.6 < values[-1] <= 1
    assert blurriness(frames[0] // 2) == pytest.approx(values[0], abs=0.05)
    assert blurriness(np.zeros((64, 96, 3), np.uint8)) == 1


def test_a_recoded_copy_gives_no_clips_whatever_the_number_of_workers(frames, tmp_path):
    folder = tmp_path / 'in'
    folder.mkdir()
    write_video(folder / 'a.mp4', frames, 25)
    larger = [cv2.resize(frame, (120, 80), interpolation=cv2.INTER_AREA) for frame in frames]
    write_video(folder / 'b.mkv', larger, 25, options={'crf': '28'})
    for workers in (1, 2):
        root = tmp_path / f'set{workers}'
        results = create_dataset([folder], root, SETTINGS, workers, say=quiet)
        assert [(r.clips, dict(r.dropped)) for r in results] == [
            (2, {}),
            (0, {'duplicate of another clip': 2}),
        ]
        assert 'b.mkv-000001 shows what a.mp4-000001 shows' in results[1].line()
        assert {c.name for c in clips_of(root)} == {'a.mp4'}
        assert len(list(root.glob('crop_unscaled_*/*'))) == 6
    later = create_dataset(
        [folder, tmp_path / 'in' / 'b.mkv'], tmp_path / 'set1', SETTINGS, say=quiet
    )
    assert later == []


def test_two_encodings_of_a_film_leak_whatever_their_crops_show(frames, tmp_path):
    write_video(tmp_path / 'a.mp4', frames, 25)
    larger = [cv2.resize(frame, (120, 80), interpolation=cv2.INTER_AREA) for frame in frames]
    write_video(tmp_path / 'b.mkv', larger, 25, options={'crf': '28'})
    train, val = tmp_path / 'train', tmp_path / 'val'
    for name, root in (('a.mp4', train), ('b.mkv', val)):
        create_dataset([tmp_path / name], root, SETTINGS, say=quiet)
    pairs = [('film', f'a.mp4-00000{i}', f'b.mkv-00000{i}') for i in range(2)]
    found = [(leak.reason, leak.train, leak.val) for leak in find_leaks(train, val)[0]]
    assert set(pairs) <= set(found)
    with open(train / INDEX_NAME, 'ab') as index:  # as after a split, which moves clips alone
        index.write((val / INDEX_NAME).read_bytes())
    (val / INDEX_NAME).unlink()
    assert [(leak.reason, leak.train, leak.val) for leak in find_leaks(train, val)[0]] == found


def test_changed_options_of_a_finished_source_are_named(frames, tmp_path):
    write_video(tmp_path / 'a.mp4', frames, 25)
    root, boxes = tmp_path / 'set', tmp_path / 'boxes.jsonl'
    entry = {'video': 'a.mp4', 'frame': 0, 'box': [4, 4, 40, 40]}
    write_boxes(boxes, entry, entry | {'frame': 14})
    settings = replace(SETTINGS, boxes_file=boxes)

    def said(settings):
        lines = []
        create_dataset([tmp_path / 'a.mp4'], root, settings, say=lines.append)
        return '\n'.join(lines)

    said(settings)
    assert 'with other' not in said(settings)
    assert 'finished before with other --min-frames, --max-blur, such as' in said(
        replace(settings, min_frames=5, max_blur=0.9)
    )
    write_boxes(boxes, entry, entry | {'frame': 10}, entry | {'video': 'c.mp4'})
    read_boxes.cache_clear()
    changed = said(settings)
    assert 'with other --boxes, such as' in changed and 'another --output' in changed
    assert 'boxes for 1 video that no input is called: c.mp4' in changed


@pytest.mark.parametrize('workers', [1, 2])
def test_one_long_film_shows_progress_in_frames(frames, tmp_path, monkeypatch, capsys, workers):
    write_video(tmp_path / 'a.mp4', frames, 25)
    monkeypatch.setattr('lada.progress.LINE_EVERY', 0.0)
    create_dataset([tmp_path / 'a.mp4'], tmp_path / 'set', SETTINGS, workers, say=quiet)
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith('cutting')]
    assert lines[-1].startswith('cutting: 48 of 48 frames')
    if workers == 1:
        assert lines[11].startswith('cutting: 12 of 48 frames') and lines[11].endswith(' left')


def test_pieces_and_regions_of_one_shot_are_no_duplicates():
    index = FingerprintIndex()
    index.add('a', [Fingerprint('a-0', 0, 5, 9)])
    assert index.match('a', Fingerprint('a-1', 0, 5, 9)) is None
    assert index.match('a', Fingerprint('a-1', 30, 5 ^ 3, 9)) == 'a-0'
    assert index.match('b', Fingerprint('b-0', 0, 5, 9 ^ 255)) is None


# ---- boxes


def write_boxes(path, *entries):
    path.write_text(''.join(json.dumps(entry) + '\n' for entry in entries))
    return path


def test_every_track_becomes_a_clip_with_its_box_as_mask(frames, tmp_path):
    write_video(tmp_path / 'a.mp4', frames, 25)
    boxes = write_boxes(
        tmp_path / 'boxes.jsonl',
        *(
            {'video': 'a.mp4', 'frame': i, 'box': [10 + i, 8, 40 + i, 30], 'score': 0.9}
            for i in range(0, 12, 2)
        ),
        *(
            {'video': 'a.mp4', 'frame': i, 'box': [60, 20, 110, 50], 'track': 'x'}
            for i in range(12)
        ),
        {'video': 'other.mp4', 'frame': 0, 'box': [0, 0, 9, 9]},
    )
    given_boxes = CreationSettings(
        min_frames=11, max_frames=12, min_resolution=64, boxes_file=boxes
    )
    create_dataset([tmp_path / 'a.mp4'], tmp_path / 'set', given_boxes, say=quiet)
    moving, fixed = clips_of(tmp_path / 'set')
    assert (moving.frames_count, fixed.frames_count) == (11, 12)
    for clip, area in ((moving, 30 * 22), (fixed, 36 * 30)):
        mask = read_frames(clip.mask_path, gray=True)
        assert ((mask == 255).sum(axis=(1, 2)) == area).all()


def test_boxes_without_a_video_are_of_the_only_one(frames, tmp_path):
    write_video(tmp_path / 'a.mp4', frames, 25)
    boxes = tmp_path / 'boxes.csv'
    boxes.write_text('first,last,x,y,width,height\n1,,10,8,30,22\n')
    settings = CreationSettings(min_frames=11, max_frames=12, min_resolution=64, boxes_file=boxes)
    create_dataset([tmp_path / 'a.mp4'], tmp_path / 'set', settings, say=quiet)
    for clip in clips_of(tmp_path / 'set'):
        mask = read_frames(clip.mask_path, gray=True)
        assert ((mask == 255).sum(axis=(1, 2)) == 30 * 22).all()
    write_video(tmp_path / 'b.mp4', frames, 25)
    with pytest.raises(LadaError, match='without a video'):
        create_dataset(
            [tmp_path / 'a.mp4', tmp_path / 'b.mp4'], tmp_path / 'set', settings, say=quiet
        )


# ---- shards


def test_shards_fill_one_root_with_what_one_run_would_write(frames, tmp_path):
    for name, part in (
        ('x/a.mp4', frames[:12]),
        ('y/a.mp4', frames[12:, ::-1]),
        ('y/b.mp4', 255 - frames[:12]),
    ):
        path = tmp_path / 'in' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_video(path, part, 25)
    root = tmp_path / 'set'
    for index in (1, 0):
        create_dataset([tmp_path / 'in'], root, SETTINGS, say=quiet, shard=Shard(index, 2))
    assert sorted(c.source['file'] for c in clips_of(root)) == ['a.mp4', 'a.mp4', 'b.mp4']
    assert len({c.name for c in clips_of(root)}) == 3
    assert sorted(p.name for p in root.iterdir() if p.suffix) == [
        'creation-index-0-of-2.jsonl',
        'creation-index-1-of-2.jsonl',
    ]
    again = []
    assert create_dataset([tmp_path / 'in'], root, SETTINGS, say=again.append) == []
    assert again[0] == '3 sources finished before: 3 clips'


@pytest.mark.parametrize('shard', [Shard(2, 2), Shard(-1, 2), Shard(0, 0)])
def test_impossible_shards(frames, tmp_path, shard):
    write_video(tmp_path / 'a.mp4', frames[:2], 25)
    with pytest.raises(LadaError, match='no shard'):
        create_dataset([tmp_path / 'a.mp4'], tmp_path / 'set', SETTINGS, say=quiet, shard=shard)
