"""Base block sizes of a mosaic, by the size of what it covers.

The four formulas are those with which public Lada's datasets were made (``mosaic_size_v1_*`` from
DeepMosaics); ``mosaic_size_v3`` is the rule of Pixiv's guidelines: one hundredth of the picture's
longer side, at least 4.
"""

import cv2
import numpy as np

BLOCK_SIZE_KEYS = (
    'mosaic_size_v1_normal',
    'mosaic_size_v1_bounding',
    'mosaic_size_v2',
    'mosaic_size_v3',
)
"""The sizes a clip's metadata may know, the preferred one first."""

# (area above which the line holds, its start, area per pixel of block size, block size at its
# start), for a picture whose shorter side is 512 pixels.
_AREA_LINES = (
    (50_000, 50_000, 50_000, 12),
    (20_000, 20_000, 30_000, 8),
    (5_000, 5_000, 20_000, 7),
    (1_000, 1_000, 5_000, 6),
    (-1, 0, 1_000, 5),
)
_COVERAGES = np.linspace(0, 1, 20)
_RELATIVE_SIZES = np.linspace(0.01, 0.018, 20)


def base_block_sizes(masks: np.ndarray, frame_shape: tuple[int, ...]) -> dict[str, float]:
    """Return the base block sizes of a clip in pixels of the crop, by :data:`BLOCK_SIZE_KEYS`.

    In a mask of several parts the largest counts, except for ``mosaic_size_v1_bounding``.

    Args:
        masks: the crop's (T, h, w) uint8 masks without padding, or a list of differently sized
            ones. The median frame counts; frames with an empty mask do not count unless all are
            empty.
        frame_shape: (height, width) of the full video frame.
    """
    sizes = [_sizes(mask) for mask in masks if mask.any()] or [_sizes(mask) for mask in masks]
    if not sizes:
        raise ValueError('no masks')
    normal, bounding, relative = np.median(np.array(sizes), axis=0).tolist()
    sizes = normal, bounding, relative, max(4, max(frame_shape[:2]) // 100)
    return dict(zip(BLOCK_SIZE_KEYS, sizes, strict=True))


def _sizes(mask: np.ndarray) -> tuple[float, float, float]:
    binary = (mask > 127).astype(np.uint8)
    contours, _ = cv2.findContours(binary, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    largest = max(contours, key=cv2.contourArea, default=None)
    part_area = 0.0 if largest is None else cv2.contourArea(largest)
    _, _, box_width, box_height = cv2.boundingRect(binary)
    _, _, part_width, part_height = (0, 0, 0, 0) if largest is None else cv2.boundingRect(largest)
    longer = max(mask.shape)
    coverage = max(part_width, part_height) / longer
    nearest = int(np.abs(_COVERAGES - coverage).argmin())
    return (
        _by_area(part_area, mask.shape),
        _by_area(box_width * box_height, mask.shape),
        float(_RELATIVE_SIZES[nearest]) * longer,
    )


def _by_area(area: float, shape: tuple[int, ...]) -> float:
    scale = min(shape) / 512
    area /= scale * scale
    for above, start, step, size in _AREA_LINES:
        if area > above:
            return scale * ((area - start) / step + size)
    raise ValueError(f'a negative area: {area}')
