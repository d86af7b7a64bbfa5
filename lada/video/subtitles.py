"""Subtitles of text in the form that a container takes."""

from typing import Any

import av
from av.container import OutputContainer

_TEXT = {'ass', 'ssa', 'subrip', 'srt', 'text', 'mov_text', 'webvtt'}
# The form in which a container takes text, and the forms it takes as they are.
_FORMS = {
    '.mp4': ('mov_text', {'mov_text'}),
    '.m4v': ('mov_text', {'mov_text'}),
    '.mov': ('mov_text', {'mov_text'}),
    '.mkv': ('subrip', {'ass', 'ssa', 'subrip', 'srt', 'text', 'webvtt'}),
    '.webm': ('webvtt', {'webvtt'}),
}


class TextConverter:
    """Adds a subtitle stream to a file and turns packets of another form into its packets.

    Args:
        container: the file, its header not written yet.
        stream: the subtitles, of an open input.
        form: FFmpeg's name of the wanted form, see :func:`form_needed`.
    """

    def __init__(self, container: OutputContainer, stream: Any, form: str):
        self._decoder = stream.codec_context
        self._decoder.open(strict=False)
        self.stream: Any = container.add_stream(form)
        self._encoder = self.stream.codec_context
        self._encoder.subtitle_header = self._decoder.subtitle_header
        self._encoder.time_base = stream.time_base

    def convert(self, packet: av.Packet) -> av.Packet | None:
        """Return the converted packet; ``None`` for one without text."""
        cue = self._decoder.decode2(packet)
        if cue is None or not len(cue):
            return None
        converted = self._encoder.encode_subtitle(cue)
        if not converted.size:
            return None
        converted.pts, converted.dts = packet.pts, packet.dts
        converted.duration, converted.time_base = packet.duration, packet.time_base
        return converted


def form_needed(stream: Any, suffix: str) -> str | None:
    """Return the form into which subtitles have to be turned for a container; ``None`` where they
    are copied.

    Args:
        stream: a subtitle stream.
        suffix: of the file, with its dot.
    """
    form, taken = _FORMS.get(suffix.lower(), ('', _TEXT))
    name = stream.codec_context.name
    return form if name in _TEXT and name not in taken else None
