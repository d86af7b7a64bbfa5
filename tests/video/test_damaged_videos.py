"""Damaged files never crash or hang: they read, or end with one line."""

import numpy as np
import pytest

from lada.video import (
    VideoError,
    clip_encoding,
    count_frames,
    mask_encoding,
    probe,
    read_frames,
    write_video,
)


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    kind = rng.integers(4)
    changed = bytearray(data)
    if kind == 0:
        return data[: rng.integers(1, len(data))]
    if kind == 1:
        for position in rng.integers(0, len(data), rng.integers(1, 30)):
            changed[position] = rng.integers(256)
    elif kind == 2:
        start = int(rng.integers(len(data)))
        stop = start + int(rng.integers(1, 500))
        changed[start:stop] = rng.bytes(len(changed[start:stop]))
    else:
        start = int(rng.integers(len(data)))
        del changed[start : start + int(rng.integers(1, 500))]
    return bytes(changed)


@pytest.mark.parametrize(
    ('name', 'gray'),
    [('clip.mp4', False), ('clip.mkv', False), ('clip.ts', False), ('mask.mkv', True)],
)
def test_damage_is_survived_and_reported_in_one_line(
    tmp_path, bikes, name, gray, variants=40, seed=7
):
    frames = read_frames(bikes, 0, 8, gray=gray)[:, 100:164, 200:264]
    source = tmp_path / name
    write_video(source, frames, 25, **(mask_encoding() if gray else clip_encoding()))
    data = source.read_bytes()
    rng = np.random.default_rng(seed)
    path = tmp_path / f'damaged-{name}'
    reported = 0
    for _ in range(variants):
        path.write_bytes(damaged(data, rng))
        calls = (
            lambda: read_frames(path, gray=gray),
            lambda: read_frames(path, 0, 8, gray=gray),
            lambda: read_frames(path, 5, 8, gray=gray),
            lambda: count_frames(path),
            lambda: probe(path),
        )
        for call in calls:
            try:
                call()
            except VideoError as error:
                reported += 1
                assert '\n' not in str(error) and str(path) in str(error)
    assert reported > variants // 2


@pytest.mark.parametrize(('name', 'gray'), [('clip.mp4', False), ('mask.mkv', True)])
def test_damage_in_the_middle_names_the_frame(tmp_path, bikes, name, gray):
    """Also where the decoder would hide it."""
    path = tmp_path / name
    write_video(
        path,
        read_frames(bikes, 0, 8, gray=gray),
        25,
        **(mask_encoding() if gray else clip_encoding()),
    )
    sound = read_frames(path, gray=gray)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 40] = bytes(40)
    path.write_bytes(data)
    with pytest.raises(VideoError, match=r'damaged video: .*frame [01234567]'):
        read_frames(path, gray=gray)
    if gray:
        np.testing.assert_array_equal(read_frames(path, 6, 8, gray=True), sound[6:])


def test_a_recording_that_starts_between_keyframes(tmp_path, bikes):
    """What comes before the first keyframe cannot be shown and does not count."""
    path = tmp_path / 'recording.ts'
    clip = read_frames(bikes, 0, 40)[:, 100:164, 200:264]
    write_video(path, clip, 25, options={'g': '10', 'bf': '2', 'sc_threshold': '0'})
    whole = read_frames(path)
    data = path.read_bytes()
    path.write_bytes(data[len(data) // 188 // 4 * 188 :])
    rest = read_frames(path)
    assert 10 < len(rest) < 40
    np.testing.assert_array_equal(rest[-20:], whole[-20:])
    np.testing.assert_array_equal(read_frames(path, len(rest) - 5), whole[-5:])


@pytest.mark.slow
def test_many_more_variants(tmp_path, bikes):
    test_damage_is_survived_and_reported_in_one_line(
        tmp_path, bikes, 'clip.mp4', False, variants=200, seed=8
    )


def test_an_mp4_without_its_end_says_so(tmp_path, bunny):
    path = tmp_path / 'cut.mp4'
    path.write_bytes(bunny.read_bytes()[:300000])
    with pytest.raises(VideoError, match='cut short'):
        probe(path)
