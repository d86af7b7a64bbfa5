"""Reading a clip's frames and mask."""

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from lada.data.cache import FrameCache
from lada.data.metadata import ClipMetadata
from lada.data.transforms.resize import ResizeClip
from lada.errors import LadaError
from lada.registry import TRANSFORMS
from lada.video import read_clip


@TRANSFORMS.register_module()
class LoadClip(BaseTransform):
    """Read the frame range of a clip and of its mask.

    Args:
        rendered_mosaic: read the stored mosaic video too, where the metadata names one: it becomes
            ``inputs``, and its mask, where there is one, takes the place of the clip's mask.
        cache: None, or the arguments of :class:`~lada.data.cache.FrameCache`.
        size: bring the clip to a size while it is read, as :class:`ResizeClip` behind it would, at
            less cost. None: the file's size.
        scale: as of :class:`ResizeClip`.
    """

    def __init__(
        self,
        rendered_mosaic: bool = False,
        cache: dict | None = None,
        size: int | tuple[int, int] | None = None,
        scale: int = 1,
    ) -> None:
        self.rendered_mosaic = rendered_mosaic
        self._read = read_clip if cache is None else FrameCache(**cache).read
        self.resize = None if size is None else ResizeClip(size, scale)

    def transform(self, results: dict) -> dict:
        meta: ClipMetadata = results['meta']
        window = results['start'], results['stop']
        small, large = (None, None) if self.resize is None else self.resize.shapes
        gt, shape = self._read(meta.video_path, *window, size=large)
        rendered = meta.mosaic_video_path if self.rendered_mosaic else None
        mask_path = (rendered and meta.mosaic_mask_path) or meta.mask_path
        mask, mask_shape = self._read(mask_path, *window, gray=True)
        _check_size(mask_path, mask_shape, shape)
        # Masks of other tools may come back from a lossy codec.
        rows = mask.reshape(-1, mask.shape[-1])
        cv2.threshold(rows, 127, 255, cv2.THRESH_BINARY, rows)
        if rendered is not None:
            results['rendered'] = True
            results['inputs'], rendered_shape = self._read(rendered, *window, size=small)
            _check_size(rendered, rendered_shape, shape)
        pads = np.array(meta.pad[slice(*window)])
        height, width = shape
        if (pads[:, :2].sum(1) >= height).any() or (pads[:, 2:].sum(1) >= width).any():
            raise LadaError(
                f"the metadata's 'pad' leaves nothing of the {width}x{height} frames:"
                f' {meta.video_path}; create the clip again or delete its files'
            )
        results.update(gt=gt, mask=mask, pads=pads, crop_shape=shape)
        return results if self.resize is None else self.resize.transform(results)


def _check_size(path, shape: tuple[int, int], clip: tuple[int, int]) -> None:
    if shape != clip:
        raise LadaError(
            f'the frames are {shape[1]}x{shape[0]} and those of the clip {clip[1]}x{clip[0]}:'
            f' {path}; create the clip again or delete its files'
        )
