"""The chain of degradations that a dataset uses unless its config names another."""

from lada.mosaic.degradations import Degradation
from lada.mosaic.degradations.gaussian_blur import GaussianBlur
from lada.mosaic.degradations.gaussian_noise import GaussianNoise
from lada.mosaic.degradations.video_compression import VideoCompression


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
