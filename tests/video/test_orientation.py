"""Display matrices: what they do to a picture, and to the place of a patch in it."""

import itertools

import av
import numpy as np
import pytest

from lada.video import read_frames
from lada.video.orientation import Orientation, display_matrix, orientation_of

LINEAR = [
    (1, 0, 0, 1),
    (-1, 0, 0, 1),
    (1, 0, 0, -1),
    (-1, 0, 0, -1),
    (0, 1, -1, 0),
    (0, -1, 1, 0),
    (0, 1, 1, 0),
    (0, -1, -1, 0),
]


def matrix_of(a, b, c, d):
    return (a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)


def shown(picture, a, b, c, d):
    """Show a picture as libavutil/display.h defines: (x, y) at (a x + c y, b x + d y)."""
    height, width = picture.shape
    places = {
        (b * x + d * y, a * x + c * y): picture[y, x]
        for y, x in itertools.product(range(height), range(width))
    }
    rows, columns = zip(*places, strict=True)
    out = np.zeros((max(rows) - min(rows) + 1, max(columns) - min(columns) + 1), picture.dtype)
    for (y, x), value in places.items():
        out[y - min(rows), x - min(columns)] = value
    return out


@pytest.mark.parametrize('linear', LINEAR)
def test_matrices_are_followed(linear):
    picture = np.arange(12).reshape(3, 4)
    orientation = orientation_of(matrix_of(*linear))
    assert np.array_equal(orientation.upright(picture), shown(picture, *linear))
    assert np.array_equal(orientation.as_coded(orientation.upright(picture)), picture)
    upright = orientation.upright(picture)
    patch = np.zeros_like(upright)
    patch[1:3, 0:2] = 1
    y, x = orientation.coded_corner(1, 0, (2, 2), upright.shape)
    assert orientation.as_coded(patch)[y : y + 2, x : x + 2].all() and patch.sum() == 4


def test_other_angles_are_left_to_players():
    assert orientation_of((46341, 46341, 0, -46341, 46341, 0, 0, 0, 1 << 30)) == Orientation()
    assert orientation_of((0,) * 9) == Orientation()
    assert orientation_of(None) == Orientation()


@pytest.mark.parametrize('linear', LINEAR[1:])
@pytest.mark.parametrize('suffix', ['mp4', 'mkv'])
def test_frames_are_read_upright(tmp_path, suffix, linear):
    path = tmp_path / f'turned.{suffix}'
    picture = np.zeros((32, 64), np.uint8)
    picture[:16] += 60
    picture[:, :32] += 120
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 32, 'yuv420p'
        stream.set_display_matrix(matrix_of(*linear))
        frame = av.VideoFrame.from_ndarray(np.stack([picture] * 3, axis=2), 'rgb24')
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with av.open(str(path)) as container:
        matrix = display_matrix(next(container.decode(video=0)))
    assert matrix is not None and orientation_of(matrix) == orientation_of(matrix_of(*linear))
    read = read_frames(path)[0, :, :, 1].astype(int)
    assert np.abs(read - shown(picture, *linear)).mean() < 4
