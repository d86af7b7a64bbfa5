"""From a video file with a mosaic to one without."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np

from lada.errors import LadaError
from lada.inference.restore import Item, Restorer, feathered
from lada.inference.self_test import SyntheticMosaic
from lada.mosaic.find import MosaicRegion
from lada.progress import Progress
from lada.video import VideoRewriter


@dataclass
class Summary:
    """What a restoration did."""

    frames: int
    seconds: float
    notes: list[str]
    consistency: float
    """See :attr:`lada.inference.restore.Restorer.consistency`."""


def restore_video(
    rewriter: VideoRewriter,
    restorer: Restorer,
    masks: Iterator[np.ndarray],
    regions: Iterator[Sequence[MosaicRegion]] | None = None,
    *,
    feather: int = 4,
    total: int | None = None,
    synthetic: SyntheticMosaic | None = None,
) -> Summary:
    """Restore the masked pixels of every frame and write the video.

    Args:
        rewriter: entered; its files get their names when the caller leaves it.
        masks: one (H, W) bool for each frame, upright, also for those an earlier run has done.
        regions: the mosaics of each frame whose grid is known; None: of none.
        feather: pixels within the mask over which the restoration fades in from its edge.
        total: number of frames, for the progress bar.
        synthetic: draw the mosaic first and measure the result; its pixels take the place of the
            masks'.
    """
    started, frames, masked = time.monotonic(), 0, False
    regions = repeat(()) if regions is None else regions
    for _ in range(rewriter.done):
        next(masks, None)
        next(regions, None)
    total = None if total is None else total - rewriter.done
    with Progress('restoring', 'frame', total) as progress:
        for item in restorer.run(_items(rewriter, masks, regions, synthetic)):
            before = list(item.picture.planes)
            alpha = None
            masked = masked or bool(item.mask.any())
            if item.restored is not None:
                box = item.box()
                alpha = feathered(item.mask, feather)[box]
                item.picture.blend(item.restored, alpha, box[0].start, box[1].start)
            rewriter.write(item.picture, before)
            if synthetic is not None and item.clean is not None:
                synthetic.measure(item.clean, item.rgb, blended(item, alpha), item.mask)
            frames += 1
            progress.update()
    notes = rewriter.notes + (
        [] if masked else ['no frame has a masked pixel: nothing was restored']
    )
    return Summary(frames, time.monotonic() - started, notes, restorer.consistency)


def _items(
    rewriter: VideoRewriter,
    masks: Iterator[np.ndarray],
    regions: Iterator[Sequence[MosaicRegion]],
    synthetic: SyntheticMosaic | None,
) -> Iterator[Item]:
    for number, picture in enumerate(rewriter.pictures(), rewriter.done):
        mask = next(masks, None)
        if mask is None:
            raise LadaError(
                f'the mask ends after {number} frames, before the video: {rewriter.source}; make'
                ' one mask frame for each'
            )
        if mask.shape != picture.shape:
            raise LadaError(
                f'the mask of frame {number} is {mask.shape[1]}x{mask.shape[0]} and the picture'
                f' {picture.shape[1]}x{picture.shape[0]}: {rewriter.source}; make masks of the same'
                ' size'
            )
        rgb = picture.rgb()
        if synthetic is None:
            yield Item(picture, rgb, mask, regions=next(regions, ()))
            continue
        mosaic, covered = synthetic.draw(rgb, mask)
        picture.blend(mosaic, covered.astype(np.float32), 0, 0)
        yield Item(picture, mosaic, covered, rgb, synthetic.regions(covered))


def blended(item: Item, alpha: np.ndarray | None) -> np.ndarray:
    """Return the restored frame in RGB.

    Args:
        item: restored.
        alpha: weights (h, w) of the restoration in the mask's bounding box, see
            :func:`~lada.inference.restore.feathered`; None: nothing was restored.
    """
    if alpha is None:
        return item.rgb
    frame = item.rgb.copy()
    box = item.box()
    mixed = frame[box] + alpha[..., None] * (item.restored - frame[box])
    frame[box] = np.clip(np.rint(mixed), 0, 255)
    return frame
