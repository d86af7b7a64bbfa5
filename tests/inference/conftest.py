"""Small videos of every kind, and networks that cost nothing."""

import runpy
import sys
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
import torch
from torch import nn

from lada.video import read_frames


class Painter(nn.Module):
    """Returns frames of one colour, and counts its calls."""

    def __init__(self, value=1.0):
        super().__init__()
        self.value, self.calls, self.shapes = value, 0, []

    def forward(self, clip):
        self.calls += 1
        self.shapes.append(tuple(clip.shape))
        return torch.full_like(clip, self.value)


@pytest.fixture
def run_script_file(repo_root, monkeypatch, capsys):
    """Return a function that runs a script in this process: (exit status, stdout, stderr)."""
    def run(script, *args):
        monkeypatch.setattr(sys, 'argv', [script, *map(str, args)])
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(repo_root / 'scripts/evaluation' / script), run_name='__main__')
        return end.value.code, *capsys.readouterr()
    return run


@pytest.fixture
def painter():
    return Painter()


@pytest.fixture(scope='session')
def frames(bikes):
    """24 frames of 144x112 from one shot."""
    whole = read_frames(bikes, 100, 124)
    return np.stack([cv2.resize(frame[:, 200:550], (144, 112), interpolation=cv2.INTER_AREA) for frame in whole])


@pytest.fixture
def make_video(tmp_path, frames):
    """Return a function that writes a video with chosen features and returns its path."""
    def make(name='in.mp4', *, pix_fmt='yuv420p', codec='libx264', pts=None, rotation=0, audio=False, subtitles=False,
             tags=(), images=frames, options=None, aspect=None):
        path = tmp_path / name
        with av.open(str(path), 'w') as container:
            options = {'preset': 'ultrafast', 'crf': '10'} if options is None else options
            stream = container.add_stream(codec, rate=25, options=options)
            stream.height, stream.width = images.shape[1:3]
            stream.pix_fmt = pix_fmt
            stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
            for key, value in dict(tags).items():
                setattr(stream.codec_context, key, value)
            if aspect:
                stream.codec_context.sample_aspect_ratio = aspect
            if rotation:
                stream.set_display_rotation(rotation)
            stream.metadata['language'] = 'eng'
            container.metadata['title'] = 'A title'
            sound = container.add_stream('aac', rate=16000) if audio else None
            if sound:
                sound.layout = 'mono'
            words = container.add_mux_stream('mov_text' if path.suffix == '.mp4' else 'subrip') if subtitles else None
            if words:
                words.time_base = Fraction(1, 1000)
            for number, image in enumerate(images):
                picture = av.VideoFrame.from_ndarray(image, 'rgb24')
                picture.pts = 40 * number if pts is None else pts[number]
                picture.time_base = Fraction(1, 1000)
                container.mux(stream.encode(picture))
                if sound:
                    samples = av.AudioFrame.from_ndarray(
                        np.sin(np.arange(640) / 9 + number).astype(np.float32)[None], 'fltp', 'mono')
                    samples.sample_rate, samples.pts = 16000, 640 * number
                    container.mux(sound.encode(samples))
                if words and number % 10 == 0:
                    text = f'words {number}'.encode()
                    packet = av.Packet(len(text).to_bytes(2, 'big') + text if path.suffix == '.mp4' else text)
                    packet.pts = packet.dts = 40 * number
                    packet.duration, packet.time_base, packet.stream = 300, Fraction(1, 1000), words
                    container.mux(packet)
            container.mux(stream.encode(None))
            if sound:
                container.mux(sound.encode(None))
        return path
    return make


@pytest.fixture
def packets():
    """Return a function that lists the packets of all streams but the video: (type, seconds, bytes).

    The MP4 muxer fills gaps between subtitles with empty ones, which do not count.
    """
    def read(path):
        with av.open(str(path)) as container:
            found = [(packet.stream.type, packet.pts, packet.time_base, bytes(packet)) for packet in container.demux()]
        return sorted((kind, round(float(pts * base), 3), data) for kind, pts, base, data in found
                      if kind != 'video' and data.strip(b'\0'))
    return read


@pytest.fixture
def times():
    """Return a function that lists the video frames' times in seconds."""
    def read(path):
        with av.open(str(path)) as container:
            return [frame.time for frame in container.decode(video=0)]
    return read
