"""How a mosaic is drawn; :mod:`lada.mosaic.degradations`: how a clip is degraded afterwards."""

from lada.mosaic.block_size import base_block_sizes
from lada.mosaic.draw import draw_mosaic
from lada.mosaic.look import MosaicLook, random_look

__all__ = [
    'MosaicLook',
    'base_block_sizes',
    'draw_mosaic',
    'random_look',
]
