"""What happens to a clip after its mosaic was drawn: compression, blur, noise.

Each step is called as ``step(frames, rng)`` with (T, H, W, 3) uint8 RGB frames, which it leaves
alone, and returns the degraded frames (the same object where it does nothing). A step takes a fixed
count of numbers from ``rng``, whatever happens, and nothing from anywhere else.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from statistics import NormalDist

import cv2
import numpy as np

from lada.mosaic.sampling import chosen, lerp
from lada.video import recompress

Degradation = Callable[[np.ndarray, np.random.Generator], np.ndarray]

_REFERENCE_AREA = 256 * 256


class VideoCompression:
    """Encodes and decodes the clip, with probability ``p``, by one of ``codecs`` drawn with
    ``codec_probs``.

    Each codec has a range in ``crf_ranges`` or in ``bitrate_ranges`` (bits per frame of 256x256
    pixels, scaled with the area), from which the quality is drawn uniformly.
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


class GaussianBlur:
    """Blurs the clip, with probability ``p``, with one sigma drawn uniformly from ``sigma_range``
    (pixels).
    """

    def __init__(self, p: float, kernel_size: int = 13, sigma_range: tuple[float, float] = (1, 4)):
        self.p, self.kernel_size, self.sigma_range = p, kernel_size, tuple(sigma_range)

    def __call__(self, frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        applied, unit = rng.random(2)
        if applied >= self.p:
            return frames
        kernel = cv2.getGaussianKernel(self.kernel_size, lerp(unit, self.sigma_range))
        out = np.empty_like(frames)
        for source, target in zip(frames, out, strict=True):
            cv2.sepFilter2D(
                source, -1, kernel, kernel, dst=target
            )  # half the time of cv2.GaussianBlur
        return out


class GaussianNoise:
    """Adds white Gaussian noise, with probability ``p``, ``snr`` dB below the clip's mean signal
    power.

    The noise takes 256 equally likely values, the quantiles of the distribution scaled to its
    variance: a byte of randomness per sample instead of a float, and an eighth of the time.
    """

    def __init__(self, p: float, snr: float = 50):
        self.p, self.snr = p, snr

    def __call__(self, frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        applied = rng.random()
        # A stream of its own, so that what follows does not depend on whether and how much noise
        # was drawn.
        bits = np.random.SFC64(int(rng.integers(2**63)))
        if applied >= self.p:
            return frames
        rows = frames.reshape(*frames.shape[:2], -1)
        power = sum(cv2.norm(frame, cv2.NORM_L2SQR) for frame in rows) / rows.size
        deviation = math.sqrt(power / 10 ** (self.snr / 10))
        levels = np.rint(_normal_levels() * deviation).astype(np.int16)
        out = np.empty_like(rows)
        for source, target in zip(rows, out, strict=True):
            draws = bits.random_raw(-(-source.size // 8)).astype('<u8', copy=False).view(np.uint8)
            draws = draws[: source.size].reshape(source.shape)
            cv2.add(source, cv2.LUT(draws, levels), dst=target, dtype=cv2.CV_8U)
        return out.reshape(frames.shape)


@lru_cache(maxsize=1)
def _normal_levels() -> np.ndarray:
    """Return 256 equally likely values with the shape of a normal distribution, mean 0 and variance
    1.
    """
    levels = np.array([NormalDist().inv_cdf((i + 0.5) / 256) for i in range(256)])
    return levels / levels.std()


def default_degradation() -> list[Degradation]:
    """Return the chain public Lada trains with: compression, blur, noise, and a second, lighter
    compression.
    """
    return [
        VideoCompression(
            p=0.9,
            codecs=['libx264', 'libx265', 'libvpx-vp9', 'mpeg2video'],
            codec_probs=[0.3, 0.3, 0.3, 0.1],
            crf_ranges={'libx264': (16, 28), 'libx265': (20, 36)},
            bitrate_ranges={'libvpx-vp9': (6_000, 16_000), 'mpeg2video': (18_000, 40_000)},
        ),
        GaussianBlur(p=0.3),
        GaussianNoise(p=0.2),
        VideoCompression(p=0.15, codecs=['libx264'], crf_ranges={'libx264': (24, 28)}),
    ]
