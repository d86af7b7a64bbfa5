"""The page of all clips as files; tests/browser looks at it."""

import json
import os
import shutil

import cv2
import numpy as np
import pytest
from fake_clips import FOLDERS, snapshot

from lada.dataset_tools.browse.browsing import CLIPS, MEDIA, PAGE, write_page
from lada.dataset_tools.browse.media import GAP, Look
from lada.dataset_tools.packing import pack_dataset
from lada.errors import LadaError
from lada.video import probe, read_frames
from tests.conftest import make_clips
from tests.dataset_tools.split.test_kills import KILL_AT

LOOK = Look(frames=4, size=64, degrade=False, seed=42, epoch=0)


@pytest.fixture(scope='module')
def pristine(tmp_path_factory, bikes):
    root = tmp_path_factory.mktemp('browse') / 'set'
    make_clips(root, bikes, 4)
    return root


@pytest.fixture
def root(pristine, tmp_path):
    return shutil.copytree(pristine, tmp_path / 'set', copy_function=shutil.copy2)


def rows(folder):
    text = (folder / CLIPS).read_text()
    return json.loads(text[text.index('const CLIPS = ') + 14 :].rstrip(';\n'))


def times(folder):
    return {path: path.stat().st_mtime_ns for path in (folder / MEDIA).rglob('*.*')}


def test_a_picture_and_a_video_of_each_clip(root, tmp_path):
    folder = tmp_path / 'new' / 'page'
    done = write_page(root, folder, LOOK)
    assert (done.clips, done.made, done.problems) == (4, 4, 0)
    assert {path.name for path in folder.iterdir()} == {PAGE, CLIPS, MEDIA}
    assert [row[0] for row in rows(folder)] == [f'bikes.mp4-{n:06d}' for n in range(4)]
    for name, source, frames, height, width, block, quality, media, problem in rows(folder):
        assert name.startswith(source) and (frames, height, width) == (6, 64, 64)
        assert block > 1 and quality is None and problem is None
        path = folder / MEDIA / f'{media}.mp4'
        found = probe(path)
        assert (found.width, found.height) == (3 * 64 + 2 * GAP, 64)
        video = read_frames(path)
        assert len(video) == 4
        still = cv2.imread(str(path.with_suffix('.jpg')))[..., ::-1]
        assert np.abs(still.astype(int) - video[2]).mean() < 6
        mask = video[2][:, -64:].mean(2)
        assert {0, 1} == set(np.unique(np.rint(mask / 255)))


def test_nothing_is_made_again_that_is_there(root, tmp_path):
    folder = tmp_path / 'page'
    write_page(root, folder, LOOK)
    before, page = times(folder), snapshot(folder)
    assert write_page(root, folder, LOOK).made == 0
    assert times(folder) == before and snapshot(folder) == page
    # A clip less: the others stay as they are.
    for sub, suffix in zip(FOLDERS, ('.mp4', '.mkv', '.json'), strict=True):
        (root / sub / f'bikes.mp4-000001{suffix}').unlink()
    assert write_page(root, folder, LOOK).made == 0
    assert times(folder).items() <= before.items() and len(times(folder)) == 6
    # A changed one, and another look.
    mask = root / FOLDERS[1] / 'bikes.mp4-000002.mkv'
    os.utime(mask, (1, 1))
    assert write_page(root, folder, LOOK).made == 1
    assert write_page(root, folder, LOOK._replace(seed=1)).made == 3
    assert len(times(folder)) == 6


@pytest.mark.slow
def test_a_packed_dataset_with_several_processes(root, tmp_path):
    pack_dataset([root], tmp_path / 'packed', 10**9, say=lambda line: None)
    assert write_page(tmp_path / 'packed', tmp_path / 'page', LOOK, workers=2).made == 4
    assert write_page(root, tmp_path / 'single', LOOK).made == 4
    for one, other in zip(rows(tmp_path / 'page'), rows(tmp_path / 'single'), strict=True):
        assert one[:7] == other[:7]
        videos = [
            (folder / MEDIA / f'{row[7]}.mp4').read_bytes()
            for folder, row in ((tmp_path / 'page', one), (tmp_path / 'single', other))
        ]
        assert videos[0] == videos[1]


def test_clips_that_cannot_be_shown_are_on_the_page(root, tmp_path):
    (root / FOLDERS[0] / 'bikes.mp4-000000.mp4').write_bytes(b'no video')
    (root / FOLDERS[1] / 'bikes.mp4-000001.mkv').unlink()
    done = write_page(root, tmp_path / 'page', LOOK)
    assert (done.clips, done.made, done.problems) == (4, 2, 2)
    problems = [row[8] for row in rows(tmp_path / 'page')]
    assert 'bikes.mp4-000000.mp4' in problems[0] and 'No such file' in problems[1]
    assert problems[2:] == [None, None]


def test_other_folders_are_left_alone(root, tmp_path, here):
    folder = tmp_path / 'page'
    for name in ('holiday.txt', MEDIA):
        (folder / name).mkdir(parents=True)
        with pytest.raises(LadaError, match='there is already'):
            write_page(root, folder, LOOK, overwrite=True)
        shutil.rmtree(folder)
    write_page(root, folder, LOOK)
    own = folder / MEDIA / 'my' / 'note.txt'
    own.parent.mkdir()
    own.write_text('mine')
    other = shutil.copytree(root, tmp_path / 'other')
    with pytest.raises(LadaError, match='the page of another dataset'):
        write_page(other, folder, LOOK)
    call = ['preview-dataset.py', other, '--html', '--output', folder, '--workers', '1']
    options = ['--frames', '2', '--size', '64', '--no-degrade', '--overwrite']
    result = here(*call, *options)
    assert result.stdout == f'{folder}/index.html: 4 clips; 4 drawn\n', result.stderr
    assert own.read_text() == 'mine'
    for more in (['--clips', '2'], ['--frames', '0']):
        result = here(*call, *more)
        assert result.returncode == 1 and result.stderr.count('\n') == 1
    empty = tmp_path / 'empty'
    (empty / FOLDERS[2]).mkdir(parents=True)
    for nothing in (empty, tmp_path / 'no'):
        result = here('preview-dataset.py', nothing, '--html', '--output', tmp_path / 'none')
        assert result.returncode == 1 and result.stderr.count('\n') == 1
        assert not (tmp_path / 'none').exists()


@pytest.mark.slow
def test_a_killed_run_goes_on(root, tmp_path, script):
    folder = tmp_path / 'page'
    call = ['preview-dataset.py', root, '--html', '--output', folder, '--workers', '1']
    call += ['--frames', '4', '--size', '64', '--no-degrade']
    assert script(*call, prelude=KILL_AT.format(count=30, before=True)).returncode == -9
    first = {path for path in times(folder) if path.suffix == '.jpg'}
    assert 0 < len(first) < 4 and not (folder / PAGE).exists()
    again = script(*call)
    assert again.stdout == f'{folder}/index.html: 4 clips; {4 - len(first)} drawn\n'
    assert len(times(folder)) == 8 and {path for path in times(folder)} >= first
