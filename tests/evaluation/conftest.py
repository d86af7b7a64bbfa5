"""A real clip with a mosaic, as tensors of a predicted sample."""

import cv2
import numpy as np
import pytest
import torch

from lada.mosaic import MosaicLook, draw_mosaic
from lada.video import read_frames


@pytest.fixture(scope='session')
def clip(bikes):
    """(clean, mosaic, masks): 6 frames of 96x112, blocks of 8 pixels that start at the corner."""
    clean = np.ascontiguousarray(read_frames(bikes, 100, 106)[:, 100:196, 200:312])
    masks = np.zeros(clean.shape[:3], np.uint8)
    for mask in masks:
        cv2.ellipse(mask, (56, 48), (30, 24), 0, 0, 360, 255, -1)
    mosaic, masks = draw_mosaic(clean, masks, MosaicLook('squa_avg', 8))
    return clean, mosaic, masks


@pytest.fixture
def make_sample(clip):
    """Return a function that makes a predicted sample as the metrics get it."""
    clean, mosaic, masks = clip

    def tensor(frames):
        return torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)

    def make(pred=None, key='bikes.mp4-000000', **changes):
        return dict(
            gt_img=tensor(clean),
            input=tensor(mosaic).float(),
            pred_img=tensor(mosaic if pred is None else pred),
            mosaic_mask=torch.from_numpy(masks),
            mosaic_block=(8.0, 8.0),
            mosaic_origin=np.zeros((6, 2)),
            gt_path='x.mp4',
            key=key,
            clip_start=0,
            **changes,
        )

    return make
