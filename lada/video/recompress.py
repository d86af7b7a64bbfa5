"""What a lossy codec does to a clip: encode and decode in memory."""

from fractions import Fraction

import av
import cv2
import numpy as np

from lada.video.colour import planes_to_rgb, rgb_to_yuv420p
from lada.video.convert import plane_array
from lada.video.errors import VideoError

# Untagged small video is BT.601 to most players, so that is the matrix artefacts come in.
_MATRIX = 'bt601'
_DECODERS = {'libx264': 'h264', 'libx265': 'hevc', 'libvpx-vp9': 'vp9', 'mpeg2video': 'mpeg2video'}
_OPTIONS = {
    'libx264': {'preset': 'veryfast'},
    'libx265': {'preset': 'ultrafast', 'x265-params': 'log-level=none:pools=none:frame-threads=1:wpp=0'},
    'libvpx-vp9': {'deadline': 'realtime', 'cpu-used': '8', 'row-mt': '0', 'lag-in-frames': '0'},
    'mpeg2video': {},
}


def recompress(
        frames: np.ndarray, codec: str, *, crf: float | None = None, bits_per_frame: float | None = None,
        fps: Fraction | float = 30) -> np.ndarray:
    """Encode and decode (T, H, W, 3) uint8 RGB and return what is left, same shape.

    ``codec``: libx264, libx265, libvpx-vp9 or mpeg2video; quality by ``crf`` or by ``bits_per_frame``
    (mpeg2video knows only the latter). One thread and the same bytes each time. Sizes are padded to even
    ones by repeating the edge and cropped back.
    """
    if codec not in _DECODERS:
        raise ValueError(f'unknown codec {codec!r}; one of {", ".join(_DECODERS)}')
    if (crf is None) == (bits_per_frame is None) or (codec == 'mpeg2video' and crf is not None):
        raise ValueError(f'{codec}: pass either crf or bits_per_frame (mpeg2video: bits_per_frame)')
    height, width = frames.shape[1:3]
    pad = ((0, height % 2), (0, width % 2))
    encoder = _encoder(codec, width + width % 2, height + height % 2, crf, bits_per_frame, fps)
    decoder = av.CodecContext.create(_DECODERS[codec], 'r')
    decoder.thread_count = 1
    out = np.empty_like(frames)
    done = 0

    def decode(packets) -> None:
        nonlocal done
        for packet in packets:
            for picture in decoder.decode(packet):
                rgb = planes_to_rgb(*(plane_array(plane) for plane in picture.planes), _MATRIX)
                out[done] = rgb[:height, :width]
                done += 1

    try:
        for index, frame in enumerate(frames):
            if pad != ((0, 0), (0, 0)):
                frame = cv2.copyMakeBorder(frame, 0, pad[0][1], 0, pad[1][1], cv2.BORDER_REPLICATE)
            picture = av.VideoFrame.from_numpy_buffer(rgb_to_yuv420p(frame, _MATRIX), 'yuv420p')
            picture.pts = index
            picture.time_base = encoder.time_base
            decode(encoder.encode(picture))
        decode(encoder.encode(None))
        decode([None])
    except av.FFmpegError as error:
        raise VideoError(f'{codec} failed on a clip of {width}x{height}: {error}') from error
    if done != len(frames):
        raise VideoError(f'{codec} gave back {done} of {len(frames)} frames of {width}x{height}')
    return out


def _encoder(codec, width, height, crf, bits_per_frame, fps) -> av.VideoCodecContext:
    rate = Fraction(30) if codec == 'mpeg2video' else Fraction(fps).limit_denominator(1001)
    encoder = av.CodecContext.create(codec, 'w')
    encoder.width, encoder.height, encoder.pix_fmt = width, height, 'yuv420p'
    encoder.framerate, encoder.time_base = rate, 1 / rate
    encoder.thread_count = 1
    options = dict(_OPTIONS[codec])
    if crf is not None:
        options['crf'] = f'{crf:g}'
        if codec == 'libvpx-vp9':
            encoder.bit_rate = 0
    else:
        encoder.bit_rate = max(1000, round(bits_per_frame * rate))
    encoder.options = options
    return encoder
