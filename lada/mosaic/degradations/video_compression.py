"""Compression by a lossy video codec."""

from collections.abc import Mapping, Sequence

import numpy as np

from lada.mosaic.sampling import chosen, lerp
from lada.registry import DEGRADATIONS
from lada.video import recompress

_REFERENCE_AREA = 256 * 256


@DEGRADATIONS.register_module()
class VideoCompression:
    """Encodes and decodes the clip.

    Args:
        p: probability that a clip is compressed, 0 to 1.
        codecs: encoders of which one is drawn for a clip, see :func:`lada.video.recompress`.
        codec_probs: how likely each of ``codecs`` is; equally likely unless given.
        crf_ranges: for a codec the limits between which its constant rate factor is drawn
            uniformly. Each codec has a range either here or in ``bitrate_ranges``.
        bitrate_ranges: for a codec the limits between which its bits a frame of 256x256 pixels are
            drawn uniformly; they grow with the area.
    """

    def __init__(
        self,
        p: float,
        codecs: Sequence[str],
        codec_probs: Sequence[float] | None = None,
        crf_ranges: Mapping[str, tuple[float, float]] | None = None,
        bitrate_ranges: Mapping[str, tuple[float, float]] | None = None,
    ):
        self.p = p
        self.codecs = list(codecs)
        probs = (
            np.ones(len(self.codecs))
            if codec_probs is None
            else np.asarray(codec_probs, dtype=float)
        )
        self.crf_ranges = dict(crf_ranges or {})
        self.bitrate_ranges = dict(bitrate_ranges or {})
        if (
            not self.codecs
            or probs.shape != (len(self.codecs),)
            or (probs < 0).any()
            or not probs.sum()
        ):
            raise ValueError(f'codec_probs must be one probability for each of {self.codecs}')
        for codec in self.codecs:
            if (codec in self.crf_ranges) == (codec in self.bitrate_ranges):
                raise ValueError(f'{codec} needs a range in either crf_ranges or bitrate_ranges')
        self._bounds = np.cumsum(probs / probs.sum())

    def __call__(self, frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        chosen = self.choose(frames.shape, rng)
        if chosen is None:
            return frames
        codec, quality = chosen
        return recompress(frames, codec, **quality)

    def choose(
        self, shape: tuple[int, ...], rng: np.random.Generator
    ) -> tuple[str, dict[str, float]] | None:
        """Draw codec and quality (arguments of :func:`lada.video.recompress`), or None, for (T, H,
        W, 3) frames.
        """
        applied, choice, quality = rng.random(3)
        if applied >= self.p:
            return None
        codec = self.codecs[chosen(choice, self._bounds)]
        if codec in self.crf_ranges:
            return codec, {'crf': lerp(quality, self.crf_ranges[codec])}
        area = shape[1] * shape[2] / _REFERENCE_AREA
        return codec, {'bits_per_frame': lerp(quality, self.bitrate_ranges[codec]) * area}
