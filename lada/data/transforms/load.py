"""Reading a clip's frames and mask."""

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from lada.data.cache import FrameCache
from lada.data.metadata import ClipMetadata
from lada.errors import LadaError
from lada.registry import TRANSFORMS
from lada.video import read_frames


@TRANSFORMS.register_module()
class LoadClip(BaseTransform):
    """Read the frame range of a clip and of its mask.

    Args:
        rendered_mosaic: read the stored mosaic video too, where the metadata names one: it becomes
            ``inputs``, and its mask, where there is one, takes the place of the clip's mask.
        cache: None, or the arguments of :class:`~lada.data.cache.FrameCache`.
    """

    def __init__(self, rendered_mosaic: bool = False, cache: dict | None = None) -> None:
        self.rendered_mosaic = rendered_mosaic
        self._read = read_frames if cache is None else FrameCache(**cache).read

    def transform(self, results: dict) -> dict:
        meta: ClipMetadata = results['meta']
        window = results['start'], results['stop']
        gt = self._read(meta.video_path, *window)
        rendered = meta.mosaic_video_path if self.rendered_mosaic else None
        mask_path = (rendered and meta.mosaic_mask_path) or meta.mask_path
        mask = self._read(mask_path, *window, gray=True)
        _check_size(mask_path, mask, gt)
        # Masks of other tools may come back from a lossy codec.
        rows = mask.reshape(-1, mask.shape[-1])
        cv2.threshold(rows, 127, 255, cv2.THRESH_BINARY, rows)
        if rendered is not None:
            results['rendered'] = True
            results['inputs'] = self._read(rendered, *window)
            _check_size(rendered, results['inputs'], gt)
        pads = np.array(meta.pad[slice(*window)])
        height, width = gt.shape[1:3]
        if (pads[:, :2].sum(1) >= height).any() or (pads[:, 2:].sum(1) >= width).any():
            raise LadaError(
                f"the metadata's 'pad' leaves nothing of the {width}x{height} frames:"
                f' {meta.video_path}; create the clip again or delete its files'
            )
        results.update(gt=gt, mask=mask, pads=pads, crop_shape=(height, width))
        return results


def _check_size(path, frames: np.ndarray, gt: np.ndarray) -> None:
    if frames.shape[1:3] != gt.shape[1:3]:
        sizes = [f'{array.shape[2]}x{array.shape[1]}' for array in (frames, gt)]
        raise LadaError(
            f'the frames are {sizes[0]} and those of the clip {sizes[1]}: {path}; create the clip'
            ' again or delete its files'
        )
