"""Videos from photographs."""

import cv2
import numpy as np
import pytest
import skimage

from lada.dataset_tools.create.creation import create_dataset
from lada.dataset_tools.create.from_images import find_images, render_videos
from lada.dataset_tools.create.planning import CreationSettings
from lada.errors import LadaError
from lada.video import probe, read_frames


@pytest.fixture(scope='module')
def photographs(tmp_path_factory):
    """Two photographs, a file that is none, and one that is too small."""
    folder = tmp_path_factory.mktemp('photographs')
    for name, picture in (('a.png', skimage.data.astronaut()), ('b.jpg', skimage.data.chelsea())):
        cv2.imwrite(str(folder / name), picture[..., ::-1])
    (folder / 'c.png').write_bytes(b'no picture')
    cv2.imwrite(str(folder / 'd.png'), np.zeros((20, 20, 3), np.uint8))
    (folder / 'e.txt').write_text('no picture either')
    return folder


def test_a_video_of_each_photograph_that_moves_smoothly(photographs, tmp_path):
    images, lines = find_images([photographs]), []
    assert [path.name for path in images] == ['a.png', 'b.jpg', 'c.png', 'd.png']
    videos = render_videos(images, tmp_path / 'one', 8, seed=3, say=lines.append)
    assert [path.name for path in videos] == ['a.png.mp4', 'b.jpg.mp4']
    assert ['c.png' in lines[0], 'd.png' in lines[1]] == [True, True]
    for path in videos:
        frames = read_frames(path).astype(float)
        assert len(frames) == 8 and probe(path).fps == 25
        steps = np.abs(np.diff(frames, axis=0)).mean((1, 2, 3))
        assert steps.min() > 0.1 and steps.max() < 25
        assert frames.std() > 20
    again = render_videos(images, tmp_path / 'two', 8, seed=3)
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in videos]
    other = render_videos(images, tmp_path / 'three', 8, seed=4)
    assert other[0].read_bytes() != videos[0].read_bytes()


def test_clips_are_cut_from_them(photographs, tmp_path):
    settings = CreationSettings(min_frames=6, max_frames=6)
    images = [photographs / 'a.png']
    results = create_dataset(
        [], tmp_path, settings, images=images, frames_per_image=12, say=lambda line: None
    )
    assert results[0].clips == 2
    assert (
        create_dataset(
            [], tmp_path, settings, images=images, frames_per_image=12, say=lambda line: None
        )
        == []
    )


@pytest.mark.parametrize(
    ('name', 'message'), [('missing', 'no such file or folder'), ('e.txt', 'no pictures')]
)
def test_what_holds_no_pictures(photographs, name, message):
    with pytest.raises(LadaError, match=message):
        find_images([photographs / name])
