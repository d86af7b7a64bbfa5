"""Opening files and codecs."""

import av
import pytest

from lada.video import VideoError
from lada.video.pyav import add_video_stream, frame_rate, open_video, video_codec


def test_a_file_without_video_is_one_clear_line(tmp_path):
    path = tmp_path / 'sound.mkv'
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('pcm_s16le', rate=8000, layout='mono')
        frame = av.AudioFrame(format='s16', layout='mono', samples=80)
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(VideoError, match=r'not a video: .*audio only'), open_video(path):
        pass


def test_the_first_stream_and_its_rate(bikes):
    with open_video(bikes, threads=0) as (_, stream):
        assert isinstance(stream, av.VideoStream) and frame_rate(stream) == stream.average_rate


def test_codecs_of_other_kinds_are_refused(tmp_path):
    with pytest.raises(ValueError, match='aac is no codec for video'):
        video_codec('aac', 'r')
    with (
        av.open(str(tmp_path / 'a.mkv'), 'w') as container,
        pytest.raises(ValueError, match='aac encodes no video'),
    ):
        add_video_stream(container, 'aac', 25, {})
