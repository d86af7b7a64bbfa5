"""From arrays to what the model takes."""

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform

from lada.data.data_sample import DataSample
from lada.registry import TRANSFORMS


@TRANSFORMS.register_module()
class PackClip(BaseTransform):
    """Return the sample: ``inputs`` (T, 3, H, W) uint8 tensor and ``data_samples``, a
    :class:`DataSample`.
    """

    def transform(self, results: dict) -> dict:
        meta = results['meta']
        sample = DataSample(
            gt_img=_channels_first(results['gt']),
            mosaic_mask=torch.from_numpy(results['mask']),
            metainfo={
                'gt_path': str(meta.video_path),
                'key': meta.stem,
                'source': meta.name,
                'fps': meta.fps,
                'clip_start': results['start'],
                'img_channel_order': 'rgb',
                'img_color_type': 'color',
                'gt_channel_order': 'rgb',
                'gt_color_type': 'color',
                'mosaic_block': results['block'],
                'mosaic_origin': results['origin'],
            },
        )
        return {'inputs': _channels_first(results['inputs']), 'data_samples': sample}


def _channels_first(frames: np.ndarray) -> torch.Tensor:
    planes = np.empty((len(frames), 3, *frames.shape[1:3]), np.uint8)
    for frame, (red, green, blue) in zip(frames, planes, strict=True):
        cv2.split(frame, (red, green, blue))  # faster than a transposed copy
    return torch.from_numpy(planes)
