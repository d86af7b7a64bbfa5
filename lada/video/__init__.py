"""Reading and writing video; nothing else in the package touches a codec."""

from lada.video.errors import VideoError
from lada.video.picture import Picture
from lada.video.reader import (
    SizedClip,
    VideoInfo,
    count_frames,
    iter_frames,
    probe,
    read_clip,
    read_frames,
)
from lada.video.recompress import recompress
from lada.video.rewrite import VideoRewriter
from lada.video.writer import (
    VideoWriter,
    clip_encoding,
    encode_animation,
    mask_encoding,
    write_video,
)

__all__ = [
    'Picture',
    'SizedClip',
    'VideoError',
    'VideoInfo',
    'VideoRewriter',
    'VideoWriter',
    'clip_encoding',
    'count_frames',
    'encode_animation',
    'iter_frames',
    'mask_encoding',
    'probe',
    'read_clip',
    'read_frames',
    'recompress',
    'write_video',
]
