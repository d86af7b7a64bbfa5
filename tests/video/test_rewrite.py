"""Rewriting a video's pictures: everything else stays."""

import os
import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest

from lada.video import VideoError, VideoRewriter, probe, read_frames
from lada.video.frames import planar_format

RED = np.full((40, 30, 3), (255, 0, 0), np.uint8)


def rewrite(source, target, change=None, **options):
    """Rewrite a file and return the planes that went to the encoder, and those before."""
    seen = []
    with VideoRewriter(source, target, threads=1, **options) as rewriter:
        for picture in rewriter.pictures():
            before = [plane.copy() for plane in picture.planes]
            if change:
                change(picture)
            seen.append((before, list(picture.planes)))
            rewriter.write(picture, before)
    return seen, rewriter


def paint(picture):
    """Paint a red box of odd place and size."""
    picture.blend(RED[:39, :29], np.ones((39, 29)), 21, 33)


@pytest.mark.parametrize('pix_fmt', ['yuv420p', 'yuv422p', 'yuv444p', 'yuv420p10le', 'gray'])
def test_untouched_samples_are_bit_equal(make_video, tmp_path, pix_fmt):
    gray = pix_fmt == 'gray'  # which H.264 decodes as colour
    source = make_video(
        'in.mkv', pix_fmt=pix_fmt, **(dict(codec='ffv1', options={}) if gray else {})
    )
    seen, _ = rewrite(source, tmp_path / 'out.mkv', paint)
    for before, after in seen:
        luma = np.ones(before[0].shape, bool)
        luma[21:60, 33:62] = False
        assert np.array_equal(before[0][luma], after[0][luma]) and (before[0] != after[0]).any()
        for old, new in zip(before[1:], after[1:], strict=True):
            step_y, step_x = luma.shape[0] // old.shape[0], luma.shape[1] // old.shape[1]
            touched = ~luma.reshape(old.shape[0], step_y, old.shape[1], step_x).any(axis=(1, 3))
            assert (
                np.array_equal(old[~touched], new[~touched])
                and (old[touched] != new[touched]).any()
            )
    assert len(seen[0][0]) == (1 if gray else 3)
    assert gray or probe(tmp_path / 'out.mkv').pix_fmt == pix_fmt


REWRITE = """
import sys
from lada.video import VideoRewriter
with VideoRewriter(*sys.argv[1:], threads=1) as rewriter:
    for picture in rewriter.pictures():
        rewriter.write(picture)
"""


def test_bytes_do_not_depend_on_what_memory_held(make_video, tmp_path, bikes):
    images = np.ascontiguousarray(read_frames(bikes, 0, 24)[:, :240, :320])
    for source in (make_video('in.mp4'), make_video('qvga.mp4', images=images)):
        written = []
        for value in ('1', '85', '170'):  # what the C library fills new memory with
            target = tmp_path / f'{value}-{source.name}'
            subprocess.run(
                [sys.executable, '-c', REWRITE, source, target],
                check=True,
                env={**os.environ, 'MALLOC_PERTURB_': value},
            )
            written.append(target.read_bytes())
        assert written[0] == written[1] == written[2]


def test_painted_colour_is_right(make_video, tmp_path):
    for name, tags in (
        ('a.mkv', {}),
        ('b.mkv', {'colorspace': 1, 'color_range': 1}),
        ('c.mkv', {'colorspace': 5, 'color_range': 2}),
    ):
        rewrite(make_video(name, tags=tags), tmp_path / f'out-{name}', paint)
        frame = read_frames(tmp_path / f'out-{name}', 5, 6)[0]
        assert np.abs(frame[28:52, 40:56].astype(int) - (255, 0, 0)).mean() < 6


@pytest.mark.parametrize('suffix', ['.mp4', '.mkv', '.mov'])
def test_timestamps_of_variable_frame_rate(make_video, tmp_path, times, frames, suffix):
    pts = np.cumsum([0] + [20 + 13 * (number % 4) for number in range(len(frames) - 1)]).tolist()
    source = make_video(f'in{suffix}', pts=pts)
    rewrite(source, tmp_path / f'out{suffix}', paint)
    assert times(tmp_path / f'out{suffix}') == pytest.approx(times(source), abs=1e-9)
    assert len(times(source)) == len(frames)


@pytest.mark.parametrize('rotation', [90, 180, 270])
def test_rotation_stays_and_patches_land_upright(make_video, tmp_path, rotation):
    source = make_video(rotation=rotation)
    rewrite(source, tmp_path / 'out.mp4', paint, compare=tmp_path / 'both.mp4')
    before, after = probe(source), probe(tmp_path / 'out.mp4')
    assert (after.rotation, after.width, after.height) == (
        before.rotation,
        before.width,
        before.height,
    )
    frame = read_frames(tmp_path / 'out.mp4', 3, 4)[0]
    assert np.abs(frame[28:52, 40:56].astype(int) - (255, 0, 0)).mean() < 6
    both = read_frames(tmp_path / 'both.mp4', 3, 4)[0]
    assert both.shape[1] == 2 * frame.shape[1]
    left, right = np.hsplit(both.astype(int), 2)
    assert np.abs(right - frame).mean() < 3
    assert np.abs(left - read_frames(source, 3, 4)[0]).mean() < 3


def test_colour_tags_and_aspect_stay(make_video, tmp_path):
    tags = {'colorspace': 1, 'color_range': 2, 'color_primaries': 1, 'color_trc': 1}
    source = make_video(tags=tags, aspect=Fraction(4, 3))
    rewrite(source, tmp_path / 'out.mp4')
    with av.open(str(tmp_path / 'out.mp4')) as container:
        stream = container.streams.video[0]
        assert {name: getattr(stream.codec_context, name) for name in tags} == tags
        assert stream.sample_aspect_ratio == Fraction(4, 3)


@pytest.mark.parametrize('suffix', ['.mp4', '.mkv'])
def test_other_streams_are_copied(make_video, tmp_path, packets, suffix):
    source = make_video(f'in{suffix}', audio=True, subtitles=True)
    rewrite(source, tmp_path / f'out{suffix}', paint)
    assert packets(tmp_path / f'out{suffix}') == packets(source)
    assert {kind for kind, *_ in packets(source)} == {'audio', 'subtitle'}
    with av.open(str(tmp_path / f'out{suffix}')) as container:
        assert container.metadata.get('title') == 'A title'
        assert container.streams.video[0].metadata.get('language') == 'eng'


def test_an_interruption_leaves_what_is_done_under_a_name_of_its_own(make_video, tmp_path):
    source, target = make_video(), tmp_path / 'out.mp4'
    target.write_bytes(b'old')
    with (
        pytest.raises(KeyboardInterrupt),
        VideoRewriter(source, target, compare=tmp_path / 'both.mp4') as rewriter,
    ):
        for number, picture in enumerate(rewriter.pictures()):
            rewriter.write(picture)
            assert target.read_bytes() == b'old'
            if number == 9:
                raise KeyboardInterrupt
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ['in.mp4', 'out-partial.mp4', 'out.mp4'] and target.read_bytes() == b'old'
    assert rewriter.partial == tmp_path / 'out-partial.mp4'
    assert len(read_frames(rewriter.partial)) == 10


def test_damaged_and_unsuitable_files(make_video, tmp_path, bunny):
    source = make_video(audio=True, subtitles=True)
    (tmp_path / 'text.mp4').write_text('no video')
    for path, message in (
        (tmp_path / 'none.mp4', 'no such video file'),
        (tmp_path / 'text.mp4', 'not a readable video'),
    ):
        with pytest.raises(VideoError, match=message):
            rewrite(path, tmp_path / 'out.mp4')
    for name in ('out.txt', 'out.avi'):  # AVI has no timestamps to keep
        with pytest.raises(VideoError, match='cannot write this kind'):
            rewrite(source, tmp_path / name)
    with pytest.raises(VideoError, match=r"cannot write.*out\.webm.*does not support 'libx264'"):
        rewrite(source, tmp_path / 'out.webm', codec='libx264')
    assert not list(tmp_path.glob('*out*'))


def test_formats():
    assert (
        planar_format('nv12') == planar_format('yuvj420p') == planar_format('yuva420p') == 'yuv420p'
    )
    assert planar_format('p010le') == planar_format('yuv420p10le') == 'yuv420p10le'
    assert planar_format('rgb24') == planar_format('pal8') == planar_format('gbrp') == 'yuv444p'
    assert planar_format('yuv422p12le') == 'yuv422p12le'
