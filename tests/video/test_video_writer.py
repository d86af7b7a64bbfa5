from fractions import Fraction

import av
import numpy as np
import pytest

from lada.video import (
    VideoError,
    VideoWriter,
    clip_encoding,
    mask_encoding,
    probe,
    read_frames,
    write_video,
)

FRAMES = np.full((3, 32, 48, 3), 120, np.uint8)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_name_appears_when_the_file_is_complete(tmp_path):
    path = tmp_path / 'clip.mp4'
    with VideoWriter(path, 25, **clip_encoding()) as writer:
        writer.write(FRAMES[0])
        writer.write(FRAMES[1])
        assert not list(tmp_path.glob('*.mp4'))
    assert names(tmp_path) == ['clip.mp4'] and writer.frames_written == 2
    assert len(read_frames(path)) == 2


def test_an_error_leaves_what_was_there(tmp_path):
    path = tmp_path / 'clip.mp4'
    write_video(path, FRAMES, 25)
    before = path.read_bytes()
    with pytest.raises(RuntimeError), VideoWriter(path, 25) as writer:
        writer.write(FRAMES[0])
        raise RuntimeError
    assert names(tmp_path) == ['clip.mp4'] and path.read_bytes() == before
    write_video(path, FRAMES[:1], 25)
    assert len(read_frames(path)) == 1


def test_nothing_to_write(tmp_path):
    with pytest.raises(VideoError, match='no frames'):
        write_video(tmp_path / 'clip.mp4', [], 25)
    assert not names(tmp_path)


def test_odd_sizes(tmp_path):
    frame = np.zeros((31, 48, 3), np.uint8)
    with pytest.raises(VideoError, match=r'odd size.*48x31'):
        write_video(tmp_path / 'odd.mp4', [frame], 25, pix_fmt='yuv420p')
    write_video(tmp_path / 'odd.mp4', [frame], 25, **clip_encoding())
    assert probe(tmp_path / 'odd.mp4').pix_fmt == 'yuv444p'
    assert names(tmp_path) == ['odd.mp4']


@pytest.mark.parametrize(
    ('name', 'arguments', 'message'),
    [
        ('clip.xyz', {}, 'unknown kind'),
        ('none/clip.mp4', {}, 'cannot write'),
        ('clip.mp4', {'codec': 'libnone'}, 'cannot write.*libnone'),
        ('clip.mp4', {'pix_fmt': 'nv99'}, 'cannot write.*nv99'),
        ('clip.mp4', {'codec': 'ffv1', 'pix_fmt': 'gray'}, 'colour frames'),
        ('clip.mp4', {'fps': 0}, 'frame rate'),
    ],
)
def test_errors_are_one_line(tmp_path, name, arguments, message):
    with pytest.raises(VideoError, match=message) as caught:
        write_video(tmp_path / name, FRAMES, **{'fps': 25, **arguments})
    assert '\n' not in str(caught.value)
    assert not names(tmp_path)


def test_frames_must_be_alike(tmp_path):
    with (
        pytest.raises(VideoError, match='different sizes'),
        VideoWriter(tmp_path / 'clip.mp4', 25) as writer,
    ):
        writer.write(FRAMES[0])
        writer.write(FRAMES[0, :16])
    for bad in (FRAMES[0].astype(float), FRAMES, FRAMES[0, ..., :2]):
        with (
            pytest.raises(ValueError, match='uint8'),
            VideoWriter(tmp_path / 'clip.mp4', 25) as writer,
        ):
            writer.write(bad)
    assert not names(tmp_path)


def test_frame_rates(tmp_path):
    for fps, expected in (
        (Fraction(30000, 1001), Fraction(30000, 1001)),
        (29.97002997, Fraction(30000, 1001)),
        (23.976, Fraction(23976, 1000)),
        (12, 12),
    ):
        write_video(tmp_path / 'clip.mp4', np.concatenate([FRAMES] * 8), fps)
        assert float(probe(tmp_path / 'clip.mp4').fps) == pytest.approx(float(expected), rel=1e-4)


def test_other_pixel_formats(tmp_path):
    colours = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    frame = np.kron(colours, np.ones((16, 16, 1), np.uint8))
    for codec, pix_fmt, suffix in (
        ('libx264', 'yuv422p', '.mp4'),
        ('libx264', 'yuv420p10le', '.mp4'),
        ('ffv1', 'bgr0', '.mkv'),
        ('libx264', 'yuv444p', '.mov'),
    ):
        path = tmp_path / f'clip{suffix}'
        write_video(
            path,
            [frame],
            25,
            codec=codec,
            pix_fmt=pix_fmt,
            options={'crf': '1'} if codec == 'libx264' else None,
        )
        assert probe(path).pix_fmt == pix_fmt
        error = read_frames(path)[0].astype(int) - frame
        assert np.abs(error[8::16, 8::16]).max() <= 4


def test_clips_are_made_for_random_access_and_masks_for_fidelity(tmp_path, bikes):
    clip = read_frames(bikes, 0, 40)[:, :64, :96]
    write_video(tmp_path / 'clip.mp4', clip, 25, **clip_encoding())
    write_video(tmp_path / 'mask.mkv', clip[..., 0], 25, **mask_encoding())
    for name, longest, pix_fmt in (('clip.mp4', 12, 'yuv420p'), ('mask.mkv', 1, 'gray')):
        with av.open(str(tmp_path / name)) as container:
            keys = [packet.is_keyframe for packet in container.demux(video=0) if packet.size]
            assert container.streams.video[0].format.name == pix_fmt
        gaps = np.diff([*np.flatnonzero(keys), len(keys)])
        assert keys[0] and gaps.max() <= longest


def test_the_same_frames_give_the_same_file(tmp_path):
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    for name in ('one.mp4', 'two.mp4'):
        write_video(tmp_path / name, frames, 25, **clip_encoding())
    assert (tmp_path / 'one.mp4').read_bytes() == (tmp_path / 'two.mp4').read_bytes()
