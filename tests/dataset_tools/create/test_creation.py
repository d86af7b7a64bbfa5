"""Creating clips from the shipped videos: geometry, cuts, restarts, masks given, and broken
inputs.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lada.data import ClipMetadata
from lada.dataset_tools.create.creation import create_dataset
from lada.dataset_tools.create.planning import CreationSettings, find_mask, masked_runs
from lada.dataset_tools.create.sources import INDEX_NAME, SourceIndex, name_sources
from lada.dataset_tools.create.trajectories import MovingRegion, fill_outline
from lada.dataset_tools.create.windows import follow, window_side
from lada.errors import LadaError
from lada.mosaic.crops import square_padding
from lada.randomness import keyed_rng
from lada.video import iter_frames, mask_encoding, read_frames, write_video
from lada.video.shots import Shot, cut_into_pieces, find_shots

CREATE = 'create-mosaic-restoration-dataset.py'


def wanted(**changes):
    """Settings under which small test videos are good enough."""
    return CreationSettings(**dict(min_resolution=0) | changes)


SETTINGS = wanted(min_frames=20, max_frames=32)


def quiet(line):
    pass


@pytest.fixture(scope='module')
def created(tmp_path_factory, bikes, bunny):
    """The dataset of both shipped videos, and what was said."""
    root, said = tmp_path_factory.mktemp('created') / 'set', []
    create_dataset([bikes.parent], root, SETTINGS, say=said.append)
    return root, said


@pytest.fixture(scope='module')
def small(tmp_path_factory, bikes):
    """64 x 96 frames of the first two shots of bikes.mp4."""
    path = tmp_path_factory.mktemp('small') / 'small.mp4'
    frames = [
        cv2.resize(frame, (96, 64), interpolation=cv2.INTER_AREA)
        for frame in iter_frames(bikes, 0, 70)
    ]
    write_video(path, frames, 25)
    return path


def clips_of(root):
    return [
        ClipMetadata.from_file(path)
        for path in sorted((root / 'crop_unscaled_meta').glob('*.json'))
    ]


def test_clips_are_what_was_asked_for(created, bikes, bunny):
    root, _ = created
    clips = clips_of(root)
    assert len(clips) >= 10
    assert {c.name for c in clips} == {'bikes.mp4', 'bigbuckbunny.mp4'}
    for number, clip in enumerate(c for c in clips if c.name == 'bikes.mp4'):
        assert clip.stem == f'bikes.mp4-{number:06d}'
    for clip in clips:
        video, mask = read_frames(clip.video_path), read_frames(clip.mask_path, gray=True)
        assert video.shape[:3] == mask.shape == (clip.frames_count, *[video.shape[1]] * 2)
        assert 20 <= clip.frames_count <= 32 and 128 <= video.shape[1] <= 720
        assert set(np.unique(mask)) == {0, 255}
        assert 0.1 <= (mask > 0).mean() <= 0.4
        assert (mask > 0).any(axis=(1, 2)).all()
        assert clip.orig_shape == ((272, 640) if clip.name == 'bikes.mp4' else (720, 1280))
        assert all(size > 0 for size in clip.base_mosaic_block_size.values())
        for pad, shape in ((pad, clip.scene_shape) for pad in clip.pad):
            assert (pad[0] + shape[0] + pad[1], pad[2] + shape[1] + pad[3]) == video.shape[1:3]


def test_regions_move_within_their_crops_but_stay_inside(created):
    for clip in clips_of(created[0]):
        mask = read_frames(clip.mask_path, gray=True) > 0
        assert not mask[:, [0, -1]].any() and not mask[:, :, [0, -1]].any()
        centres = np.array([np.argwhere(frame).mean(axis=0) for frame in mask])
        steps = np.abs(np.diff(centres, axis=0)).max()
        assert np.ptp(centres, axis=0).max() > 0.03 * mask.shape[1]
        assert steps < 0.1 * mask.shape[1]


def test_crops_show_the_source(created, bikes):
    """The crop of a frame is found in that frame of the source, nearly unchanged."""
    for clip in [c for c in clips_of(created[0]) if c.name == 'bikes.mp4'][::4]:
        for index in (0, clip.frames_count - 1):
            frame = read_frames(
                bikes, clip.source['start_frame'] + index, clip.source['start_frame'] + index + 1
            )[0]
            top, _, left, _ = clip.pad[index]
            height, width = clip.scene_shape
            crop = read_frames(clip.video_path, index, index + 1)[0][
                top : top + height, left : left + width
            ]
            score = cv2.minMaxLoc(cv2.matchTemplate(frame, crop, cv2.TM_CCOEFF_NORMED))[1]
            assert score > 0.99


def test_no_clip_spans_a_cut(created, bikes):
    """Measured without the shot detector: frames before and after a cut have little in common."""
    frames = [
        cv2.resize(frame, (64, 32), interpolation=cv2.INTER_AREA).astype(float)
        for frame in iter_frames(bikes)
    ]
    correlation = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in pairwise(frames)]
    cuts = [i + 1 for i, c in enumerate(correlation) if c < 0.5]
    assert len(cuts) >= 4
    for clip in clips_of(created[0]):
        if clip.name == 'bikes.mp4':
            start = clip.source['start_frame']
            assert not [cut for cut in cuts if start < cut < start + clip.frames_count]


def test_summary_and_dry_run(created, bikes, tmp_path):
    _, said = created
    assert any(
        line.startswith(str(bikes)) and '1 dropped: shorter than 20 frames' in line for line in said
    )
    dry = []
    create_dataset([bikes.parent], tmp_path / 'set', SETTINGS, dry_run=True, say=dry.append)
    assert dry == said and not (tmp_path / 'set').exists()


def test_several_regions_of_a_shot_differ(small, tmp_path):
    create_dataset([small], tmp_path / 'set', wanted(min_frames=20, clips_per_shot=2), say=quiet)
    clips = clips_of(tmp_path / 'set')
    assert len(clips) == 4
    assert [c.source['start_frame'] for c in clips] == [0, 0, 30, 30]
    a, b = (read_frames(c.mask_path, gray=True) for c in clips[:2])
    assert a.shape != b.shape or not np.array_equal(a, b)


def test_regions_depend_on_seed_and_name_only(small, tmp_path):
    copy = tmp_path / 'elsewhere' / 'small.mp4'
    copy.parent.mkdir()
    shutil.copy(small, copy)
    masks = []
    for path, seed in ((small, 1), (copy, 1), (small, 2)):
        root = tmp_path / f'set{len(masks)}'
        create_dataset([path], root, wanted(seed=seed, min_frames=20), say=quiet)
        masks.append(read_frames(clips_of(root)[0].mask_path, gray=True))
    assert np.array_equal(masks[0], masks[1])
    assert masks[0].shape != masks[2].shape or not np.array_equal(masks[0], masks[2])


# ---- stopping and starting again


def state(root):
    """Everything about a dataset that a restart must reproduce; containers hold random
    identifiers.
    """
    return {
        c.stem: (
            (root / 'crop_unscaled_meta' / f'{c.stem}.json').read_bytes(),
            read_frames(c.mask_path, gray=True).tobytes(),
            read_frames(c.video_path).tobytes(),
        )
        for c in clips_of(root)
    }


def is_running(group):
    """Tell whether a group of processes has a member that is no zombie."""
    states = subprocess.run(
        ['ps', '-eo', 'pgid=,stat='], capture_output=True, text=True, check=True
    ).stdout
    return any(
        int(pgid) == group and 'Z' not in state
        for pgid, state in map(str.split, states.splitlines())
    )


def start(repo_root, root, inputs, *options, stdout):
    """Start the script with two workers, in a process group of its own."""
    script = repo_root / 'scripts' / 'dataset_creation' / CREATE
    call = [sys.executable, script, '--input', *inputs, '--output-root', root, *options]
    call = [str(word) for word in (*call, '--workers', 2)]
    return subprocess.Popen(call, stdout=stdout, stderr=stdout, text=True, start_new_session=True)


def test_killed_creation_continues(created, bikes, tmp_path, repo_root):
    root = tmp_path / 'set'
    options = '--min-frames', 20, '--max-frames', 32
    process = start(repo_root, root, [bikes], *options, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    wait_for = random.Random().randint(1, 6)
    while (
        len(list(root.glob('crop_unscaled_meta/*.json'))) < wait_for and time.monotonic() < deadline
    ):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    while is_running(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(process.pid), 'a worker outlived its main process'
    finished = {
        p: p.stat().st_mtime_ns for p in root.glob('crop_unscaled_*/*') if p.suffix == '.json'
    }
    assert finished
    for path in finished:  # a clip with metadata is whole
        clip = ClipMetadata.from_file(path)
        assert (
            len(read_frames(clip.video_path))
            == len(read_frames(clip.mask_path, gray=True))
            == clip.frames_count
        )
    create_dataset([bikes], root, SETTINGS, say=quiet)
    assert {p: p.stat().st_mtime_ns for p in finished} == finished
    expected = {
        stem: facts for stem, facts in state(created[0]).items() if stem.startswith('bikes')
    }
    assert state(root) == expected
    assert sorted(p.name for p in root.iterdir()) == [
        INDEX_NAME,
        'crop_unscaled_img',
        'crop_unscaled_mask',
        'crop_unscaled_meta',
    ]
    assert not [p for p in root.rglob('.*')]


def test_finished_sources_are_skipped(small, tmp_path, monkeypatch):
    root, said = tmp_path / 'set', []
    create_dataset([small], root, wanted(min_frames=20), say=quiet)
    before = {p: p.stat().st_mtime_ns for p in root.rglob('*') if p.is_file()}
    with open(root / INDEX_NAME, 'ab') as file:
        file.write(b'{"name": "cut sho')
    monkeypatch.setattr(
        'lada.dataset_tools.create.creation.survey', lambda *a: pytest.fail('looked at it again')
    )
    create_dataset([small], root, wanted(min_frames=20), say=said.append)
    assert said[0] == '1 source finished before: 2 clips'
    assert {p for p in before if p.stat().st_mtime_ns != before[p]} == {root / INDEX_NAME}


def test_index_survives_a_line_cut_short(small, tmp_path):
    index = SourceIndex.open(tmp_path)
    sources, _ = name_sources([(small, 'a' * 64)], {})
    (tmp_path / INDEX_NAME).write_bytes(b'{"name": "cut sho')
    index.add(sources[0], clips=3)
    again = SourceIndex.open(tmp_path)
    assert again.names() == {'a' * 64: 'small.mp4'} and again.sha256_of(small) == 'a' * 64


def test_stopped_with_ctrl_c(bikes, bunny, tmp_path, repo_root):
    root = tmp_path / 'set'
    options = '--clips-per-shot', 4
    process = start(repo_root, root, [bikes, bunny], *options, stdout=subprocess.PIPE)
    while not list(root.glob('crop_unscaled_meta/*.json')):
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and errors.strip() == 'stopped'
    assert not (root / '.creating').exists()


# ---- given masks


@pytest.fixture
def masked(small, tmp_path):
    """A folder with a mask video for small.mp4: a moving box, missing in frames 10 to 12 and in the
    second shot.
    """
    masks = np.zeros((70, 64, 96), np.uint8)
    for i in range(30):
        if not 10 <= i < 13:
            masks[i, 20:36, 10 + i : 40 + i] = 255
    folder = tmp_path / 'masks'
    folder.mkdir()
    write_video(folder / 'small.mkv', masks, 25, **mask_encoding())
    return folder


def test_given_masks_are_used(small, masked, tmp_path):
    said = []
    given = wanted(min_frames=10, mask_dir=masked)
    results = create_dataset([small], tmp_path / 'set', given, say=said.append)
    clips = clips_of(tmp_path / 'set')
    assert [(c.source['start_frame'], c.frames_count) for c in clips] == [(0, 10), (13, 17)]
    assert results[0].dropped == {'shot without a region': 1}
    for clip in clips:
        mask = read_frames(clip.mask_path, gray=True)
        assert ((mask == 255).sum(axis=(1, 2)) == 16 * 30).all() and (
            (mask == 0) | (mask == 255)
        ).all()
        assert not mask[:, [0, -1]].any()


@pytest.mark.parametrize(
    ('frames', 'shape', 'complaint'),
    [(69, (64, 96), 'ends early'), (71, (64, 96), 'is longer'), (70, (32, 96), 'another size')],
)
def test_masks_that_do_not_fit(small, tmp_path, frames, shape, complaint):
    write_video(
        tmp_path / 'small.mkv', np.full((frames, *shape), 255, np.uint8), 25, **mask_encoding()
    )
    with pytest.raises(LadaError, match=complaint):
        create_dataset([small], tmp_path / 'set', wanted(mask_dir=tmp_path), say=quiet)
    assert not (tmp_path / 'set').exists()


def test_missing_mask(small, tmp_path):
    with pytest.raises(LadaError, match='no mask video: small'):
        find_mask(tmp_path, small)
    with pytest.raises(LadaError, match='no such folder of masks'):
        create_dataset([small], tmp_path / 'set', wanted(mask_dir=tmp_path / 'x'), say=quiet)


# ---- bad input


def test_broken_files_do_not_stop_the_rest(small, tmp_path):
    folder = tmp_path / 'in'
    folder.mkdir()
    good = small.read_bytes()
    (folder / 'a empty.mp4').touch()
    (folder / 'b text.mkv').write_text('no video')
    (folder / 'c cut.mp4').write_bytes(good[: len(good) // 2])
    (folder / 'd same.mp4').write_bytes(good)
    (folder / 'e same.mp4').write_bytes(good)
    (folder / 'notes.txt').write_text('not looked at')
    said = []
    create_dataset([folder], tmp_path / 'set', wanted(min_frames=20), workers=2, say=said.append)
    lines = {line.split(': ')[0].split('/')[-1]: line for line in said}
    assert 'nothing, ' in lines['a empty.mp4'] and '0 bytes' in lines['a empty.mp4']
    assert 'nothing, ' in lines['b text.mkv'] and 'nothing, ' in lines['c cut.mp4']
    assert 'the same content as' in lines['e same.mp4'] and '2 clips' in lines['d same.mp4']
    assert '2 clips of 70 frames from 1 of 5 sources' in said
    with pytest.raises(LadaError, match='no clip could be created from 1 file'):
        create_dataset([folder / 'b text.mkv'], tmp_path / 'none', SETTINGS, say=quiet)
    assert not (tmp_path / 'none').exists()


def test_missing_input(tmp_path):
    with pytest.raises(LadaError, match='no such file or folder'):
        create_dataset([tmp_path / 'no.mp4'], tmp_path / 'set', SETTINGS, say=quiet)
    with pytest.raises(LadaError, match='no video files found'):
        create_dataset([tmp_path], tmp_path / 'set', SETTINGS, say=quiet)
    assert not (tmp_path / 'set').exists()


@pytest.mark.parametrize(
    'wrong',
    [
        dict(min_frames=0),
        dict(min_frames=9, max_frames=8),
        dict(clips_per_shot=0),
        dict(size_range=(0.0, 0.2)),
        dict(size_range=(0.5, 0.4)),
        dict(size_range=(0.1, 0.9)),
    ],
)
def test_settings_that_mean_nothing(wrong):
    with pytest.raises(LadaError, match='not a '):
        wanted(**wrong)


def test_names_of_sources():
    paths = [Path('x/a.mp4'), Path('y/a.mp4'), Path('z/b.mp4'), Path('z/c\\d.mp4')]
    sources, duplicates = name_sources(
        zip(paths, ['1' * 64, '2' * 64, '1' * 64, '3' * 64], strict=True), {}
    )
    assert [s.name for s in sources] == ['a.mp4', 'a~22222222.mp4', 'c_d.mp4']
    assert duplicates == [(paths[2], paths[0])]
    later, _ = name_sources(
        [(Path('y/a.mp4'), '2' * 64), (Path('w/a.mp4'), '4' * 64)],
        {'1' * 64: 'a.mp4', '2' * 64: 'a~22222222.mp4'},
    )
    assert [s.name for s in later] == ['a~22222222.mp4', 'a~44444444.mp4']


def test_long_names_of_sources_leave_room_for_their_clips():
    path = Path('画' * 83 + '.mp4')  # 253 bytes
    (source,), _ = name_sources([(path, 'a' * 64)], {})
    assert source.name == '画' * 62 + '~aaaaaaaa.mp4'
    (again,), _ = name_sources([(path, 'a' * 64)], {'a' * 64: source.name})
    assert again.name == source.name


# ---- pieces


@settings(deadline=None)
@given(st.integers(0, 50), st.integers(0, 500), st.integers(1, 40), st.integers(0, 40))
def test_pieces_of_a_shot(start, length, shortest, more):
    longest = shortest + more
    pieces = cut_into_pieces(Shot(start, start + length), shortest, longest)
    assert bool(pieces) == (length >= shortest)
    for piece in pieces:
        assert shortest <= piece.stop - piece.start <= longest
    assert all(a.stop == b.start for a, b in pairwise(pieces))
    if pieces:
        assert pieces[0].start == start and pieces[-1].stop <= start + length
        assert (
            start + length - pieces[-1].stop < shortest or len(pieces) * longest >= length - longest
        )


def test_shots_of_nothing_and_of_one_frame():
    assert find_shots([]) == []
    assert find_shots([np.zeros((8, 8, 3), np.uint8)]) == [Shot(0, 1)]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(40, 400), st.integers(40, 400), st.floats(0.1, 0.6))
def test_windows_hold_their_regions(seed, height, width, size):
    rng = keyed_rng(seed)
    region = MovingRegion(rng, (height, width), size * min(height, width))
    outlines = np.stack([region.outline(i / 25) for i in range(50)])[..., ::-1]
    boxes = np.concatenate([outlines.min(axis=1), outlines.max(axis=1)], axis=1)
    area = np.mean(
        [(fill_outline(o[:, ::-1], (height, width), (0, 0)) > 0).sum() for o in outlines]
    )
    side = window_side(boxes, area, 0.25, (height, width))
    assert side % 8 == 0
    corners = follow(boxes, side, (height, width), 25, rng)
    shape = min(side, height), min(side, width)
    assert (corners >= 0).all() and (corners + shape <= (height, width)).all()
    inside = np.clip(boxes, 0, [height, width, height, width])
    assert (inside[:, :2] >= corners - 1).all() and (inside[:, 2:] <= corners + shape + 1).all()
    top, bottom, left, right = square_padding(shape, side)
    assert (top + shape[0] + bottom, left + shape[1] + right) == (side, side)


def test_masked_runs():
    areas = np.array([0, 5, 5, 0, 0, 3, 0, 1])
    assert list(masked_runs(Shot(0, 8), areas)) == [Shot(1, 3), Shot(5, 6), Shot(7, 8)]
    assert list(masked_runs(Shot(2, 6), areas)) == [Shot(2, 3), Shot(5, 6)]


def test_metadata_is_version_3(created):
    for path in (created[0] / 'crop_unscaled_meta').glob('*.json'):
        data = json.loads(path.read_text())
        assert (
            data['version'] == 3 and data['video_path'] == f'../crop_unscaled_img/{path.stem}.mp4'
        )
        assert set(data['source']) == {'file', 'sha256', 'start_frame'}


def test_a_source_that_vanishes_before_it_is_cut(small, tmp_path):
    inputs = tmp_path / 'in'
    inputs.mkdir()
    for name in ('a.mp4', 'b.mp4', 'copy of a.mp4'):
        shutil.copy(small, inputs / name)
    with open(inputs / 'b.mp4', 'ab') as file:
        file.write(b'\0' * 8)  # other bytes, so that it is a source of its own

    def say(line):
        if 'the same content as' in line:  # said when all is hashed and nothing is cut
            (inputs / 'b.mp4').unlink()

    results = {
        result.source.name: result
        for result in create_dataset([inputs], tmp_path / 'set', SETTINGS, say=say)
    }
    assert results['b.mp4'].error and not results['b.mp4'].clips
    assert results['a.mp4'].error is None and results['a.mp4'].clips
