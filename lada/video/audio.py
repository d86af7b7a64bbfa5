"""Audio in a form that a container takes, where it does not take the source's."""

from typing import Any

import av
from av.container import OutputContainer
from av.error import FFmpegError

_OPUS_RATE = 48000
_LAYOUTS = {1: 'mono', 2: 'stereo', 3: '2.1', 4: '4.0', 5: '5.0', 6: '5.1', 7: '6.1', 8: '7.1'}
_BITS_A_CHANNEL = 128_000


def encoder_for(stream: Any, suffix: str) -> str:
    """Return the encoder for audio that a container does not take as it is: lossless for what is
    not compressed, where the container has that.

    Args:
        stream: the audio.
        suffix: of the file, with its dot.
    """
    if suffix.lower() == '.webm':
        return 'libopus'
    plain = stream.codec_context.name.startswith('pcm_')
    return 'flac' if plain and suffix.lower() in ('.mkv', '.mp4', '.m4v') else 'aac'


def name_layout(stream: Any) -> None:
    """Give audio whose file does not say so the usual places of that many channels.

    Args:
        stream: of a file being written.
    """
    name = usual_layout(stream.codec_context.layout)
    if name != stream.codec_context.layout.name:
        stream.codec_context.layout = name


def usual_layout(layout: av.AudioLayout) -> str:
    """Return a layout's name, or the usual one for its number of channels where it has none."""
    if 'channels' in layout.name:
        return _LAYOUTS.get(layout.nb_channels, layout.name)
    return layout.name


class AudioConverter:
    """Adds an audio stream to a file and turns packets of another codec into its packets.

    Args:
        container: the file, its header not written yet.
        stream: the audio, of an open input.
        codec: FFmpeg's name of the encoder, see :func:`encoder_for`.
    """

    def __init__(self, container: OutputContainer, stream: Any, codec: str):
        self._source = stream
        source = stream.codec_context
        rate = _OPUS_RATE if codec == 'libopus' else source.sample_rate
        self.stream: Any = container.add_stream(codec, rate=rate)
        context = self.stream.codec_context
        context.layout = usual_layout(source.layout)
        if codec != 'flac':
            context.bit_rate = _BITS_A_CHANNEL * source.layout.nb_channels
        elif source.name not in ('pcm_u8', 'pcm_s8', 'pcm_s16le', 'pcm_s16be'):
            context.format = 's32'

    def convert(self, packet: av.Packet | None) -> list[av.Packet]:
        """Return packets of the wanted codec that are ready; ``None``: all that are left.

        Samples of a damaged packet are missing, as players leave them out.
        """
        packets: list[av.Packet] = []
        try:
            frames = [] if packet is None else self._source.codec_context.decode(packet)
        except FFmpegError:
            frames = []
        for frame in frames:
            packets += self.stream.encode(frame)
        if packet is None:
            packets += self.stream.encode(None)
        return packets
