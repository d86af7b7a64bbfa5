"""The steps between a clip on disk and a sample, each an ``mmcv.transforms.BaseTransform``.

``results`` carries, as far as the steps have come:

- ``meta`` (:class:`~lada.data.ClipMetadata`), ``start``, ``stop`` (frame range) and ``rng`` (the
  sample's generator, the only source of randomness), from the dataset;
- ``gt`` and ``inputs`` (T, H, W, 3) uint8 RGB, ``mask`` (the clip's mask, later what the mosaic
  covers) (T, H, W) uint8 0 or 255, ``pads`` (T, 4) int [top, bottom, left, right] and
  ``crop_shape`` (h, w), both in pixels of the file;
- between a resize and the drawing of the mosaic ``onto``, the clip at the size of the input, to
  draw on, and ``own_mask``, the mask at the file's size;
- ``block`` (height, width) and ``origin`` (T, 2) of the mosaic's grid in pixels of ``gt``, each
  None where unknown.
"""

from lada.data.transforms.degrade import DegradeClip
from lada.data.transforms.flip import FlipClip
from lada.data.transforms.load import LoadClip
from lada.data.transforms.mosaic import DrawMosaic
from lada.data.transforms.pack import PackClip
from lada.data.transforms.resize import ResizeClip
from lada.data.transforms.rotate import RotateClip

__all__ = [
    'DegradeClip',
    'DrawMosaic',
    'FlipClip',
    'LoadClip',
    'PackClip',
    'ResizeClip',
    'RotateClip',
]
