"""Colours against the definitions (ITU-T H.273) in floating point."""

from fractions import Fraction

import av
import numpy as np
import pytest

from lada.video import clip_encoding, mask_encoding, read_frames, write_video

WEIGHTS = {'bt601': (0.299, 0.114), 'bt709': (0.2126, 0.0722), 'bt2020': (0.2627, 0.0593)}
TAGS = {'bt709': 1, 'bt601': 6, 'bt2020': 9}
COLOURS = np.array(
    [
        [255, 255, 255],
        [0, 0, 0],
        [128, 128, 128],
        [200, 30, 40],
        [20, 180, 60],
        [10, 20, 220],
        [250, 240, 5],
        [90, 60, 120],
    ],
    dtype=float,
)


def yuv_of(rgb, matrix, full, bits=8):
    red, blue = WEIGHTS[matrix]
    luma = rgb @ [red, 1 - red - blue, blue]
    differences = (rgb[:, 2] - luma) / (2 * (1 - blue)), (rgb[:, 0] - luma) / (2 * (1 - red))
    peak, scale = 2**bits - 1, 2 ** (bits - 8)
    if full:
        planes = [luma / 255 * peak, *(d / 255 * peak + 128 * scale for d in differences)]
    else:
        planes = [
            (luma / 255 * 219 + 16) * scale,
            *((d / 255 * 224 + 128) * scale for d in differences),
        ]
    return np.clip(np.rint(np.array(planes)), 0, peak).astype(np.uint16 if bits > 8 else np.uint8)


def write_bars(path, planes, pix_fmt, matrix, full, size=(16, 8)):
    """One frame of flat vertical bars, losslessly, with these very plane values."""
    width, height = size
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('ffv1', rate=25, options={'level': '3'})
        stream.width, stream.height, stream.pix_fmt = width * planes.shape[1], height, pix_fmt
        stream.codec_context.time_base = Fraction(1, 25)
        picture = av.VideoFrame(width * planes.shape[1], height, pix_fmt)
        for plane, values in zip(picture.planes, planes, strict=True):
            line = np.repeat(values, plane.width // len(values))
            rows = np.zeros((plane.height, plane.line_size // line.itemsize), line.dtype)
            rows[:, : len(line)] = line
            plane.update(rows)
        for target in (stream.codec_context, picture):
            if matrix is not None:
                target.colorspace = TAGS[matrix]
            if full is not None:
                target.color_range = 2 if full else 1
        container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def bar_centres(frame):
    width = frame.shape[1] // len(COLOURS)
    return frame[frame.shape[0] // 2, width // 2 :: width].astype(float)


@pytest.mark.parametrize('pix_fmt', ['yuv420p', 'yuv422p', 'yuv444p', 'yuv420p10le', 'yuv444p10le'])
@pytest.mark.parametrize('matrix', ['bt601', 'bt709', 'bt2020'])
@pytest.mark.parametrize('full', [False, True])
def test_tags_are_honoured(tmp_path, pix_fmt, matrix, full):
    path = tmp_path / 'bars.mkv'
    write_bars(
        path, yuv_of(COLOURS, matrix, full, 10 if '10' in pix_fmt else 8), pix_fmt, matrix, full
    )
    assert np.abs(bar_centres(read_frames(path)[0]) - COLOURS).max() <= 2


@pytest.mark.parametrize(('pix_fmt', 'bits'), [('yuv420p', 8), ('yuv420p10le', 10)])
def test_untagged_video_goes_by_its_size(tmp_path, pix_fmt, bits):
    for size, matrix in (((16, 8), 'bt601'), ((160, 720), 'bt709')):
        path = tmp_path / 'bars.mkv'
        write_bars(path, yuv_of(COLOURS, matrix, False, bits), pix_fmt, None, None, size)
        assert np.abs(bar_centres(read_frames(path)[0]) - COLOURS).max() <= 2


@pytest.mark.parametrize(('pix_fmt', 'bits'), [('yuv420p', 8), ('yuv420p10le', 10)])
@pytest.mark.parametrize('full', [False, True, None])
def test_luma_spans_the_whole_range(tmp_path, pix_fmt, bits, full):
    grays = np.repeat(np.array([0, 255, 128, 30, 60, 90, 200, 250.0])[:, None], 3, axis=1)
    path = tmp_path / 'bars.mkv'
    write_bars(path, yuv_of(grays, 'bt601', bool(full), bits), pix_fmt, 'bt601', full)
    luma = bar_centres(read_frames(path, gray=True)[0])
    assert np.abs(luma - grays[:, 0]).max() <= 1
    assert luma[0] == 0 and luma[1] == 255


@pytest.mark.parametrize('shape', [(64, 96), (33, 47), (256, 256)])
def test_masks_come_back_unchanged(tmp_path, shape):
    path = tmp_path / 'mask.mkv'
    levels = np.random.default_rng(0).integers(0, 256, (5, *shape), dtype=np.uint8)
    write_video(path, levels, 25, **mask_encoding())
    np.testing.assert_array_equal(read_frames(path, gray=True), levels)
    np.testing.assert_array_equal(read_frames(path, 3, 5, gray=True), levels[3:])
    np.testing.assert_array_equal(read_frames(path), np.repeat(levels[..., None], 3, axis=3))


@pytest.mark.parametrize(
    ('name', 'arguments'),
    [
        ('gray.mp4', {'codec': 'libx264', 'pix_fmt': 'gray', 'options': {'crf': '10'}}),
        ('colour.mp4', {'codec': 'libx264', 'options': {'crf': '10'}}),
        ('colour.mkv', {'codec': 'ffv1', 'pix_fmt': 'yuv420p'}),
        ('rgb.mkv', {'codec': 'ffv1', 'pix_fmt': 'bgr0'}),
    ],
)
def test_masks_of_other_encoders_are_nearly_right(tmp_path, name, arguments):
    mask = np.zeros((3, 64, 64), np.uint8)
    mask[:, 16:48, 16:48] = 255
    write_video(tmp_path / name, mask, 25, **arguments)
    got = read_frames(tmp_path / name, gray=True)
    assert ((got > 127) == (mask > 0)).all()
    assert np.abs(got.astype(int) - mask).mean() < 2


def test_clips_keep_their_colours(tmp_path, bikes, bunny):
    """Only the halved resolution of colour is lost; no drift in brightness."""
    for source, crop in ((bikes, np.s_[:, 8:264, 100:356]), (bunny, np.s_[:, 200:456, 500:756])):
        clip = read_frames(source, 40, 52)[crop]
        write_video(tmp_path / 'clip.mp4', clip, 25, **clip_encoding())
        got = read_frames(tmp_path / 'clip.mp4')
        error = got.astype(float) - clip
        assert 10 * np.log10(255**2 / np.mean(error**2)) > 41
        luma = error @ [0.2126, 0.7152, 0.0722]
        assert 10 * np.log10(255**2 / np.mean(luma**2)) > 45
        assert np.abs(error.mean(axis=(0, 1, 2))).max() < 0.5
