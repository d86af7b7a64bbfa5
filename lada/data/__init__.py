"""Clips on disk, and how they become samples."""

from lada.data.catalog import ClipCatalog
from lada.data.data_sample import DataSample
from lada.data.dataset import MosaicVideoDataset
from lada.data.metadata import ClipMetadata, MetadataError
from lada.data.sampler import ClipDraw, InfiniteSampler, sample_rng
from lada.data.transforms import (
    DegradeClip,
    DrawMosaic,
    FlipClip,
    LoadClip,
    PackClip,
    ResizeClip,
    RotateClip,
)
from lada.data.worker import init_worker

__all__ = [
    'ClipCatalog',
    'ClipDraw',
    'ClipMetadata',
    'DataSample',
    'DegradeClip',
    'DrawMosaic',
    'FlipClip',
    'InfiniteSampler',
    'LoadClip',
    'MetadataError',
    'MosaicVideoDataset',
    'PackClip',
    'ResizeClip',
    'RotateClip',
    'init_worker',
    'sample_rng',
]
