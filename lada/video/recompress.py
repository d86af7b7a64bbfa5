"""What a lossy codec does to a clip: encode and decode in memory."""

from fractions import Fraction

import av
import cv2
import numpy as np
from av.error import FFmpegError

from lada.text import reason
from lada.video.colour import planes_to_rgb
from lada.video.errors import VideoError
from lada.video.pixel_format import plane_array, yuv420p_frame
from lada.video.pyav import video_codec

DECODERS = {'libx264': 'h264', 'libx265': 'hevc', 'libvpx-vp9': 'vp9', 'mpeg2video': 'mpeg2video'}
# Untagged small video is BT.601 to most players, so that is the matrix artefacts come in.
_MATRIX = 'bt601'
_X265_QUIET_SINGLE_THREAD = 'log-level=none:pools=none:frame-threads=1:wpp=0'
# The fastest settings whose artefacts are of the same kind as slower ones'; how strong:
# benchmarks/degrading_codecs.py.
_OPTIONS = {
    # Its macroblock tree reads memory it has not written when frames are small.
    'libx264': {'preset': 'veryfast', 'x264-params': 'mbtree=0'},
    'libx265': {'preset': 'ultrafast'},
    'libvpx-vp9': {'deadline': 'realtime', 'cpu-used': '8', 'lag-in-frames': '0'},
    'mpeg2video': {},
}


def recompress(
    frames: np.ndarray,
    codec: str,
    *,
    crf: float | None = None,
    bits_per_frame: float | None = None,
    fps: Fraction | float = 30,
) -> np.ndarray:
    """Encode and decode a clip and return what is left, same shape.

    One thread and the same bytes each time. Raises :class:`VideoError` if the codec fails.

    Args:
        frames: (T, H, W, 3) uint8 RGB. Sizes are padded to even ones (to at least 64) by repeating
            the edge and cropped back.
        codec: libx264, libx265, libvpx-vp9 or mpeg2video.
        crf: quality as a constant rate factor; mpeg2video knows none.
        bits_per_frame: quality as bits a frame, instead of ``crf``.
        fps: frames a second that the encoder is told.
    """
    count, height, width = frames.shape[:3]
    bottom, right = _missing(height), _missing(width)
    encoder = open_encoder(
        codec, width + right, height + bottom, crf=crf, bits_per_frame=bits_per_frame, fps=fps
    )
    decoder = video_codec(DECODERS[codec], 'r')
    decoder.thread_count = 1
    # One step for all frames after the other: an encoder leaves nothing of what others need in the
    # caches.
    pictures = []
    for index, frame in enumerate(frames):
        if bottom or right:
            frame = cv2.copyMakeBorder(frame, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
        pictures.append(yuv420p_frame(frame, _MATRIX))
        pictures[-1].pts, pictures[-1].time_base = index, encoder.time_base
    try:
        packets = [packet for picture in [*pictures, None] for packet in encoder.encode(picture)]
        decoded = [picture for packet in [*packets, None] for picture in decoder.decode(packet)]
    except (FFmpegError, IndexError) as error:
        raise VideoError(
            f'{codec} failed on a clip of {width}x{height}: {reason(error)}'
        ) from error
    if len(decoded) != count:
        raise VideoError(f'{codec} gave back {len(decoded)} of {count} frames of {width}x{height}')
    out = np.empty_like(frames)
    for picture, frame in zip(decoded, out, strict=True):
        luma, blue, red = (plane_array(plane) for plane in picture.planes)
        if bottom or right:
            frame[:] = planes_to_rgb(luma, blue, red, _MATRIX)[:height, :width]
        else:
            planes_to_rgb(luma, blue, red, _MATRIX, out=frame)
    return out


def open_encoder(
    codec: str,
    width: int,
    height: int,
    *,
    crf: float | None = None,
    bits_per_frame: float | None = None,
    fps: Fraction | float = 30,
    options: dict[str, str] | None = None,
) -> av.VideoCodecContext:
    """Return a single-threaded, silent, deterministic yuv420p encoder.

    Args:
        codec: see :func:`recompress`.
        width, height: of the frames, both even.
        crf, bits_per_frame: quality; one of the two.
        fps: frames a second.
        options: of the encoder, in place of the usual ones.
    """
    if codec not in DECODERS:
        raise ValueError(f'unknown codec {codec!r}; one of {", ".join(DECODERS)}')
    if (crf is None) == (bits_per_frame is None) or (codec == 'mpeg2video' and crf is not None):
        raise ValueError(f'{codec}: pass either crf or bits_per_frame (mpeg2video: bits_per_frame)')
    # MPEG-2 knows only a few frame rates; what counts is the size of a frame.
    rate = Fraction(30) if codec == 'mpeg2video' else Fraction(fps).limit_denominator(1001)
    encoder = video_codec(codec, 'w')
    encoder.width, encoder.height, encoder.pix_fmt = width, height, 'yuv420p'
    encoder.framerate, encoder.time_base = rate, 1 / rate
    encoder.thread_count = 1
    options = dict(_OPTIONS[codec] if options is None else options)
    if codec == 'libx265':
        options['x265-params'] = _X265_QUIET_SINGLE_THREAD
    if bits_per_frame is not None:
        encoder.bit_rate = max(1000, round(bits_per_frame * rate))
        if codec == 'mpeg2video':
            # Without a small buffer its rate control would overspend on a clip of this length.
            options |= {
                'maxrate': str(encoder.bit_rate),
                'bufsize': str(4 * encoder.bit_rate // 30),
            }
    else:
        options['crf'] = f'{crf:g}'
        encoder.bit_rate = 0
    encoder.options = options
    return encoder


def _missing(size: int) -> int:
    # x265 writes outside its buffers when a side is shorter than its largest coding unit of 64.
    return max(64, size + size % 2) - size
