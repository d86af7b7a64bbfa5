"""How a mosaic is drawn and how a clip is degraded afterwards."""

from lada.mosaic.block_size import base_block_sizes
from lada.mosaic.degradation import (
    Degradation,
    GaussianBlur,
    GaussianNoise,
    VideoCompression,
    default_degradation,
)
from lada.mosaic.draw import draw_mosaic
from lada.mosaic.look import MosaicLook, random_look

__all__ = [
    'Degradation',
    'GaussianBlur',
    'GaussianNoise',
    'MosaicLook',
    'VideoCompression',
    'base_block_sizes',
    'default_degradation',
    'draw_mosaic',
    'random_look',
]
