"""How the pictures of a video are encoded again: encoder, pixel format, options."""

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
from av.codec.context import Flags
from av.error import FFmpegError
from av.sidedata.sidedata import Type

from lada.errors import LadaError
from lada.video.frames import formats_holding, has_alpha, is_rgb, planar_format
from lada.video.orientation import side_data
from lada.video.pyav import video_codec

# x264 looks 40 frames ahead in this preset and keeps them all; ten are enough where the quality is
# constant.
_QUALITY = {
    'libx264': {'preset': 'medium', 'crf': '15', 'rc-lookahead': '10'},
    'libx265': {'preset': 'medium', 'crf': '18', 'x265-params': 'log-level=error'},
    'libvpx-vp9': {'crf': '24', 'b': '0', 'row-mt': '1', 'deadline': 'good', 'cpu-used': '4'},
}
# Encoders that code the two fields of a frame as such.
_INTERLACED = {'libx264', 'mpeg2video', 'mpeg4', 'ffv1', 'dvvideo', 'prores_ks', 'dnxhd'}
ALPHA_TAG = 'alpha_mode'
"""The name in a stream's metadata under which WebM says that it is transparent."""
_WHOLE, _TOP_FIRST, _BOTTOM_FIRST = 1, 2, 3
_PARAMETERS = {'libx264': 'x264-params', 'libx265': 'x265-params'}
_NAMES = {'libx264': 'mastering-display', 'libx265': 'master-display'}
_LIGHT = {'libx264': 'cll', 'libx265': 'max-cll'}


@dataclass(frozen=True)
class Encoding:
    """What an encoder is told.

    Attributes:
        codec: FFmpeg's name of the encoder.
        form: pixel format.
        options: of the encoder.
        field_order: FFmpeg's number of the order of the fields (AVFieldOrder); 0: whole frames.
        notes: what is stored in another way than in the source, for the user.
    """

    codec: str
    form: str
    options: dict[str, str]
    field_order: int = 0
    notes: tuple[str, ...] = ()


def choose_encoding(
    path: Path,
    frame: av.VideoFrame,
    video: av.VideoStream,
    codec: str | None = None,
    options: dict[str, str] | None = None,
) -> Encoding:
    """Return how pictures like a frame are encoded into a file, nearly lossless unless told.

    The pixel format is the nearest to the source's that the encoder takes at this size; mastering
    display and light level (SMPTE ST 2086, CTA-861.3) go into the stream. Raises
    :class:`LadaError` for an encoder that there is not, or that takes no such pictures.

    Args:
        path: the file; its suffix names the container.
        frame: the first one, as it was decoded.
        video: the stream it comes from.
        codec: encoder; x264 for 8 bits, x265 for more, VP9 in WebM unless given.
        options: of the encoder, in place of nearly lossless ones.
    """
    source = planar_format(frame.format.name)
    depth = av.VideoFormat(source, 16, 16).components[0].bits
    codec = codec or default_codec(path.suffix, depth)
    order = _field_order(frame, video) if codec in _INTERLACED else 0
    parameters = _light_parameters(codec, frame)
    if codec == 'libx264' and options is None:
        parameters += repeatable_x264()
    options = dict(_QUALITY.get(codec, {}) if options is None else options)
    if codec == 'libx264' and order == _BOTTOM_FIRST:
        parameters.append('bff=1')  # x264 finds out by itself, but after it wrote its header
    if parameters:
        name = _PARAMETERS[codec]
        options[name] = ':'.join(filter(None, [options.get(name), *parameters]))
    form, odd = _format(codec, source, frame, options, path)
    notes = []
    if has_alpha(frame.format.name) or video.metadata.get(ALPHA_TAG, '0') != '0':
        notes.append('transparency is not kept')
    if is_rgb(frame.format.name):
        notes.append(f'RGB ({frame.format.name}) is stored as {form}, BT.709')
    elif form != source:
        why = (
            f'{codec} takes {frame.width}x{frame.height} in no nearer one'
            if odd
            else (f'{codec} does not take it')
        )
        notes.append(f'{source} is stored as {form}: {why}')
    return Encoding(codec, form, options, order, tuple(notes))


@cache
def repeatable_x264() -> list[str]:
    """Return parameters with which x264 writes the same bytes each time.

    For pictures of some sizes (320x240), what it computes with AVX-512 for its tree of macroblocks
    depends on memory that it has not written. Without the tree, files are a fifth larger.
    """
    try:
        flags = Path('/proc/cpuinfo').read_text()
    except OSError:
        return ['mbtree=0']  # nobody says what the processor can
    return ['asm=AVX2'] if 'avx512' in flags else []


def default_codec(suffix: str, depth: int) -> str:
    """Return the encoder for a container and a number of bits.

    Args:
        suffix: the file's, with its dot.
        depth: bits of a sample.
    """
    if suffix.lower() == '.webm':
        return 'libvpx-vp9'
    return 'libx264' if depth == 8 else 'libx265'


def set_up(context: av.VideoCodecContext, encoding: Encoding, shape: tuple[int, int]) -> None:
    """Tell an encoder size and format, and that it codes fields where it is to.

    Args:
        context: the encoder's, not opened yet.
        encoding: what to tell.
        shape: height and width of the coded pictures.
    """
    context.height, context.width = shape
    context.pix_fmt = encoding.form
    if encoding.field_order:
        context.flags |= Flags.interlaced_dct.value


def _format(
    codec: str, source: str, frame: av.VideoFrame, options: dict[str, str], path: Path
) -> tuple[str, bool]:
    """Return the nearest format an encoder takes, and whether it takes nearer ones at other
    sizes.
    """
    try:
        known = {form.name for form in av.Codec(codec, 'w').video_formats or []}
    except (FFmpegError, ValueError) as error:
        raise LadaError(f'unknown encoder: {codec}; use libx264, libx265 or libvpx-vp9') from error
    possible = [form for form in formats_holding(source) if form in known]
    failure: Exception | None = None
    for number, form in enumerate(possible):
        encoding = Encoding(codec, form, options)
        try:
            context = video_codec(codec, 'w')
            set_up(context, encoding, (frame.height, frame.width))
            context.time_base, context.framerate = Fraction(1, 25), Fraction(25)
            context.options = dict(options)
            if codec == 'libx265':  # which would tell of what it does not take itself
                told = options.get('x265-params')
                context.options |= {'x265-params': ':'.join(filter(None, [told, 'log-level=none']))}
            context.open()
        except (FFmpegError, ValueError) as error:
            failure = error
            continue
        return form, number > 0
    if failure is None:
        raise LadaError(
            f'{codec} does not take {source}: {path}; name another encoder with --codec'
        )
    raise LadaError(
        f'{codec} does not take pictures of {frame.width}x{frame.height} in {source}: {path};'
        ' name another encoder with --codec'
    )


def _field_order(frame: av.VideoFrame, video: av.VideoStream) -> int:
    """Return the order of a frame's fields, 0 where it is coded as a whole."""
    if not frame.interlaced_frame:
        return 0
    told = video.codec_context.field_order
    if told > _WHOLE:
        return told
    return _BOTTOM_FIRST if video.codec_context.name == 'dvvideo' else _TOP_FIRST


def _light_parameters(codec: str, frame: av.VideoFrame) -> list[str]:
    """Return mastering display and light level in an encoder's own words, if it has any."""
    if codec not in _PARAMETERS:
        return []
    parameters = []
    display = side_data(frame, Type.MASTERING_DISPLAY_METADATA)
    if display is not None and len(display) >= 88:
        # AVMasteringDisplayMetadata: ten fractions of red, green, blue, white (x, y), least and
        # most light, then whether there are colours and light.
        numbers = np.frombuffer(display[:88], np.int32)
        values = numbers[0:20:2] / np.maximum(numbers[1:20:2], 1)
        if numbers[20] and numbers[21]:
            red, green, blue, white = (
                ','.join(str(round(value * 50000)) for value in values[at : at + 2])
                for at in range(0, 8, 2)
            )
            least, most = (round(float(value) * 10000) for value in values[8:10])
            parameters.append(
                f'{_NAMES[codec]}=G({green})B({blue})R({red})WP({white})L({most},{least})'
            )
    light = side_data(frame, Type.CONTENT_LIGHT_LEVEL)
    if light is not None and len(light) >= 8:
        content, average = np.frombuffer(light[:8], np.uint32)
        parameters.append(f'{_LIGHT[codec]}={content},{average}')
    return parameters
