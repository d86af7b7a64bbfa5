import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest

from lada.errors import LadaError
from lada.video import (
    VideoError,
    VideoWriter,
    count_frames,
    iter_frames,
    mask_encoding,
    probe,
    read_clip,
    read_frames,
    write_video,
)
from lada.video.resizing import resize_picture

# Reordered frames, open groups of pictures, hidden frames, containers without an index or without
# timestamps.
FORMATS = {
    'h264_bframes.mp4': ('libx264', {'g': '9', 'bf': '3', 'b-pyramid': 'normal'}),
    'h264_open_gop.mp4': ('libx264', {'g': '9', 'bf': '3', 'x264-params': 'open-gop=1:scenecut=0'}),
    'h264_open_gop.mkv': ('libx264', {'g': '9', 'bf': '3', 'x264-params': 'open-gop=1:scenecut=0'}),
    'h264_open_gop.ts': ('libx264', {'g': '9', 'bf': '3', 'x264-params': 'open-gop=1:scenecut=0'}),
    'h264.mov': ('libx264', {'g': '7', 'bf': '2'}),
    'h264.avi': ('libx264', {'g': '7', 'bf': '0'}),
    'hevc_open_gop.mp4': (
        'libx265',
        {'x265-params': 'keyint=9:min-keyint=9:open-gop=1:log-level=none'},
    ),
    'hevc_open_gop.mkv': (
        'libx265',
        {'x265-params': 'keyint=9:min-keyint=9:open-gop=1:log-level=none'},
    ),
    'vp9.webm': (
        'libvpx-vp9',
        {'g': '9', 'deadline': 'good', 'cpu-used': '5', 'auto-alt-ref': '1'},
    ),
    'vp8.webm': (
        'libvpx',
        {'g': '9', 'deadline': 'good', 'cpu-used': '5', 'auto-alt-ref': '1', 'lag-in-frames': '16'},
    ),
    'mpeg2.ts': ('mpeg2video', {'g': '8', 'bf': '2'}),
    'mpeg4.avi': ('mpeg4', {'g': '8', 'bf': '0'}),
    'intra.mkv': ('ffv1', {'g': '1'}),
}


@pytest.fixture(scope='module')
def clip(bikes):
    """40 frames of 96x64 with a shot change."""
    return np.ascontiguousarray(read_frames(bikes, 100, 140)[:, 100:164, 200:296])


@pytest.mark.parametrize('name', FORMATS)
def test_any_range_equals_that_part_of_the_whole(tmp_path, clip, name):
    codec, options = FORMATS[name]
    path = tmp_path / name
    write_video(path, clip, 25, codec=codec, options=options)
    whole = read_frames(path)
    assert whole.shape == clip.shape
    assert count_frames(path) == 40
    error = np.abs(whole.astype(int) - clip).mean(axis=(1, 2, 3))
    assert error.max() < 12
    for start in [*range(40)]:
        stop = min(40, start + 3)
        np.testing.assert_array_equal(
            read_frames(path, start, stop), whole[start:stop], f'frame {start}'
        )
    np.testing.assert_array_equal(read_frames(path, 30), whole[30:])


def test_sample_videos(bikes, bunny):
    info = probe(bunny)
    assert (info.width, info.height, info.fps, info.frames, info.rotation) == (
        1280,
        720,
        25,
        132,
        0,
    )
    assert info.codec == 'h264' and info.pix_fmt == 'yuv420p' and info.has_audio
    assert info.duration == pytest.approx(5.28)
    assert count_frames(bunny) == 132 and count_frames(bikes) == 250
    whole = list(iter_frames(bunny, 0, 132))
    for start in (1, 60, 131):
        np.testing.assert_array_equal(read_frames(bunny, start, start + 1)[0], whole[start])


def test_decoder_threads_change_nothing(bikes):
    np.testing.assert_array_equal(
        read_frames(bikes, 90, 120, threads=2), read_frames(bikes, 90, 120)
    )


def test_variable_frame_rate(tmp_path, clip):
    path = tmp_path / 'vfr.mp4'
    rng = np.random.default_rng(0)
    with av.open(str(path), 'w') as container:
        stream = container.add_stream(
            'libx264', rate=1000, options={'g': '8', 'bf': '2', 'crf': '10'}
        )
        stream.width, stream.height, stream.pix_fmt = 96, 64, 'yuv420p'
        stream.codec_context.time_base = Fraction(1, 1000)
        stamp = 0
        for frame in clip:
            picture = av.VideoFrame.from_ndarray(frame, 'rgb24')
            picture.pts, picture.time_base = stamp, Fraction(1, 1000)
            container.mux(stream.encode(picture))
            stamp += int(rng.integers(5, 400))
        container.mux(stream.encode(None))
    whole = read_frames(path)
    assert len(whole) == count_frames(path) == 40
    for start in (3, 8, 9, 25, 39):
        np.testing.assert_array_equal(read_frames(path, start, start + 1)[0], whole[start])


@pytest.mark.parametrize('degrees', [90, -90, 180])
def test_rotation_is_applied(tmp_path, degrees):
    """A quarter turn counter-clockwise brings the right edge to the top."""
    path = tmp_path / 'turned.mp4'
    frames = np.zeros((3, 32, 64, 3), np.uint8)
    frames[:, :, 32:] = 200
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 32, 'yuv420p'
        stream.set_display_rotation(degrees)
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, 'rgb24')))
        container.mux(stream.encode(None))
    expected = np.rot90(frames, degrees // 90, axes=(1, 2))
    got = read_frames(path)
    assert got.shape == expected.shape
    assert np.abs(got.astype(int) - expected).mean() < 4
    info = probe(path)
    assert (info.height, info.width) == expected.shape[1:3] and info.rotation == degrees
    small = read_clip(path, size=(16, 20))
    assert small.shape == expected.shape[1:3]
    for frame, whole in zip(small.frames, got, strict=True):
        resized = resize_picture(whole, (16, 20))
        assert np.array_equal(frame, resized)


def grey_90(height, width, pix_fmt):
    """Limited-range grey, its planes filled directly: swscale at times leaves odd 10-bit pictures
    partly unwritten.
    """
    frame = av.VideoFrame(width, height, pix_fmt)
    dtype, levels = (np.uint16, (373, 512, 512)) if '10' in pix_fmt else (np.uint8, (93, 128, 128))
    for plane, level in zip(frame.planes, levels, strict=True):
        plane.update(np.full(plane.buffer_size // dtype().itemsize, level, dtype).tobytes())
    return frame


@pytest.mark.parametrize('size', [(31, 47), (32, 47), (31, 48), (17, 19)])
def test_odd_sizes(tmp_path, size):
    path = tmp_path / 'odd.mkv'
    frames = np.random.default_rng(0).integers(0, 256, (3, *size, 3), dtype=np.uint8)
    write_video(path, frames, 25, codec='libx264', options={'crf': '1'})
    assert np.abs(read_frames(path).astype(int) - frames).mean() < 3
    for pix_fmt in ('yuv420p', 'yuv422p', 'yuv420p10le'):
        with av.open(str(path), 'w') as container:
            stream = container.add_stream('ffv1', rate=25)
            stream.height, stream.width = size
            stream.pix_fmt = pix_fmt
            container.mux(stream.encode(grey_90(*size, pix_fmt)))
            container.mux(stream.encode(None))
        assert np.abs(read_frames(path)[0].astype(int) - 90).max() <= 2


def test_no_frames_asked_for(bikes):
    assert list(iter_frames(bikes, 5, 5)) == []
    with pytest.raises(ValueError, match='empty'):
        read_frames(bikes, 5, 5)
    for bad in ((-1, 3), (5, 4)):
        with pytest.raises(ValueError, match='range'):
            read_frames(bikes, *bad)


def test_frames_come_one_at_a_time(bikes):
    frames = iter_frames(bikes, 3)
    assert next(frames).shape == (272, 640, 3)
    frames.close()


class TestErrors:
    """Each is one line that names the file."""

    def check(self, path, message, function=read_frames, **arguments):
        with pytest.raises(VideoError, match=message) as caught:
            function(path, **arguments)
        assert isinstance(caught.value, LadaError)
        assert '\n' not in str(caught.value) and str(path) in str(caught.value)

    @pytest.mark.parametrize('function', [read_frames, probe, count_frames])
    def test_missing_empty_and_no_video(self, tmp_path, function):
        self.check(tmp_path / 'none.mp4', 'no such video file', function)
        self.check(tmp_path, 'no such video file', function)
        empty, text = tmp_path / 'empty.mp4', tmp_path / 'text.mp4'
        empty.touch()
        text.write_text('no video ' * 500)
        self.check(empty, '0 bytes', function)
        self.check(text, 'not a readable video', function)

    def test_audio_only(self, tmp_path):
        path = tmp_path / 'sound.mp4'
        with av.open(str(path), 'w') as container:
            stream = container.add_stream('aac', rate=44100)
            frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), 'fltp', 'stereo')
            frame.sample_rate = 44100
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        self.check(path, 'audio only')

    def test_a_picture_list_or_playlist_opens_nothing_else(self, tmp_path, bikes):
        path = tmp_path / 'list.m3u8'
        path.write_text('#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/clip.ts\n#EXT-X-ENDLIST\n')
        self.check(path, 'video')

    def test_ends_early(self, bikes):
        self.check(bikes, 'ends early.* 250 frames.* 259 ', start=245, stop=260)
        self.check(bikes, 'ends early.* 250 frames', start=0, stop=251)
        self.check(bikes, 'ends early.* 250 frames', start=250)
        self.check(bikes, 'ends early', start=10_000, stop=10_001)

    def test_size_changes(self, tmp_path):
        path = tmp_path / 'both.ts'
        parts = []
        for height in (32, 48):
            write_video(tmp_path / 'part.ts', np.full((4, height, 64, 3), 99, np.uint8), 25)
            parts.append((tmp_path / 'part.ts').read_bytes())
        path.write_bytes(b''.join(parts))
        self.check(path, 'size changes')

    def test_a_colon_in_the_name(self, tmp_path):
        path = tmp_path / 'http:odd name.mkv'
        with VideoWriter(path, 25) as writer:
            writer.write(np.zeros((16, 16, 3), np.uint8))
        assert len(read_frames(path)) == 1


@pytest.mark.slow
def test_reading_a_part_leaks_nothing(tmp_path):
    """In a process of its own, whose memory nothing else uses. An unfinished reading once took 280
    bytes.
    """
    write_video(tmp_path / 'clip.mkv', np.zeros((8, 16, 16), np.uint8), 25, **mask_encoding())
    code = """
import ctypes, gc, resource, sys
from pathlib import Path
from lada.video import read_frames
def resident():
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return int(Path('/proc/self/statm').read_text().split()[1]) * resource.getpagesize()
for count in (3000, 3000):
    before = resident()
    for _ in range(count):
        read_frames(sys.argv[1], 1, 3, gray=True)
print(resident() - before)
"""
    done = subprocess.run(
        [sys.executable, '-c', code, str(tmp_path / 'clip.mkv')], capture_output=True, text=True
    )
    assert int(done.stdout) < 300_000, done.stderr


@pytest.mark.parametrize(
    'size', [(64, 64), (120, 60), (272, 640), (300, 700), (200, 700), (17, 19)]
)
@pytest.mark.parametrize('gray', [False, True])
def test_reading_at_a_size_is_reading_and_resizing(bikes, size, gray):
    whole = read_frames(bikes, 40, 42, gray=gray)
    frames, shape = read_clip(bikes, 40, 42, gray=gray, size=size)
    expected = np.stack([resize_picture(frame, size) for frame in whole])
    assert shape == (272, 640) and frames.shape == expected.shape
    # Planes are resized before they are mixed, which rounds otherwise.
    difference = np.abs(frames.astype(int) - expected)
    assert difference.mean() < 1 and np.mean(difference**2) < 4
    if gray or size == shape:
        assert not difference.any()
