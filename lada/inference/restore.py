"""Restoring the mosaic regions of a stream of frames in bounded memory."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import nn

from lada.engine.distributed.team import Team
from lada.errors import LadaError
from lada.evaluation.boxes import Slices, bounding_box
from lada.inference.crops import Crop, plan_crops
from lada.inference.grids import WindowMosaic, mosaics_of_window
from lada.memory import release_free_memory
from lada.models.guidance import takes_grid
from lada.mosaic.block_grid import BlockGrid
from lada.mosaic.find import MosaicRegion
from lada.video import Picture
from lada.video.shots import ShotFinder


@dataclass
class Item:
    """A frame on its way: what was decoded, what the network sees, and what it made of it."""

    picture: Picture
    rgb: np.ndarray
    """uint8 (H, W, 3), upright, with the mosaic."""
    mask: np.ndarray
    """bool (H, W)."""
    clean: np.ndarray | None = None
    """The frame without mosaic, where it is known."""
    regions: Sequence[MosaicRegion] = ()
    """The mosaics of the frame whose grid is known."""
    restored: np.ndarray | None = None
    """float32 (h, w, 3), 0 to 255: the mask's bounding box, ``rgb`` outside the mask. ``None``:
    nothing is masked.
    """

    def box(self) -> Slices:
        """Return rows and columns of the mask's bounding box; nothing of either for an empty
        mask.
        """
        return bounding_box(self.mask) or (slice(0, 0), slice(0, 0))


class Job(NamedTuple):
    """What the network is given of one mosaic in a window of frames."""

    squares: list[np.ndarray]
    """(S, S, 3) uint8 each."""
    masks: list[np.ndarray] | None
    """(S', S') uint8 each, in the network's size, of the blocks; None: their grid is not known."""
    block: tuple[float, float] = (0, 0)
    """Height and width of a block in pixels of the masks."""
    origin: np.ndarray | None = None
    """(T, 2) y and x of a corner between blocks, likewise."""


class Restored(NamedTuple):
    """What the network made of it."""

    squares: list[np.ndarray]
    """(S, S, 3) float32 each, 0 to 255."""
    misses: float = 0.0
    """Sum of the squared errors of the block means, per masked pixel, of values up to 1."""
    pixels: int = 0
    """How many pixels that were."""


@dataclass
class _Window:
    """Frames that the network sees at once.

    Attributes:
        items: the frames.
        shared: how many of them the window before has restored too.
        done: how many of them no later window changes.
        crops: what is restored, each with its mosaic and, where it was handed out, its job.
    """

    items: list[Item]
    shared: int
    done: int
    crops: list[tuple[Crop, WindowMosaic, Future | None]]


class Restorer:
    """Runs a network over windows of frames, which end at cuts.

    Args:
        generator: takes (1, T, 3, S, S) in [0, 1], and a
            :class:`~lada.mosaic.block_grid.BlockGrid` or None if it says ``takes_grid``; returns
            the same shape, or a multiple of it.
        device: of the generator.
        window: frames the network sees at once.
        overlap: frames that two windows share; their results are cross-faded.
        size: side S in pixels to which crops are resized, that of the training clips; None keeps
            theirs.
        half: run the network under float16 autocast. A window whose result is not finite, which
            float16 can make of large activations, is run again in float32.
        processes: share the windows.
    """

    def __init__(
        self,
        generator: nn.Module,
        device: torch.device,
        *,
        window: int = 30,
        overlap: int = 6,
        size: int | None = 256,
        half: bool = False,
        processes: Team | None = None,
    ):
        if not 0 <= overlap <= window // 2:
            raise LadaError(
                f'windows of {window} frames cannot overlap by {overlap}; use at most {window // 2}'
            )
        if size is not None and size < 1:
            raise LadaError(f'--size {size}: at least 1 pixel; use the size of the training clips')
        self.generator, self.device = generator, device
        self.window, self.overlap, self.size, self.half = window, overlap, size, half
        self.processes = processes or Team()
        if self.processes.leads:
            self.processes.lead(self.network)
        # Enough for everyone to have work while the first process decodes and encodes.
        self._ahead = self.processes.size + 1 if self.processes.size > 1 else 0
        self._misses, self._pixels = 0.0, 0

    @property
    def consistency(self) -> float:
        """By how many grey levels the block means of what was restored miss those of the mosaic,
        root mean square over the masked pixels whose grid was known; ``nan`` without any.
        """
        return (self._misses / self._pixels) ** 0.5 * 255 if self._pixels else float('nan')

    def run(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield the items in order, restored. At most ``window`` of them are held at a time, and
        as many again for each window that is handed out.
        """
        begun: deque[_Window] = deque()
        for window in self._windows(items):
            begun.append(window)
            if len(begun) > self._ahead:
                yield from self._finish(begun.popleft())
        while begun:
            yield from self._finish(begun.popleft())

    def _windows(self, items: Iterable[Item]) -> Iterator[_Window]:
        held: list[Item] = []
        shared = 0
        shot = ShotFinder()
        for item in items:
            shot.add(item.rgb)
            if len(shot.shots()) > 1:
                # Nothing may be carried across a cut.
                shot = ShotFinder()
                shot.add(item.rgb)
                yield self._begin(held, shared, len(held))
                held, shared = [], 0
            held.append(item)
            if len(held) == self.window:
                done = self.window - self.overlap
                yield self._begin(held, shared, done)
                held, shared = held[done:], self.overlap
        yield self._begin(held, shared, len(held))

    def _begin(self, items: list[Item], shared: int, done: int) -> _Window:
        """Hand the window out, if there is anyone to take it."""
        window = _Window(items, shared, done, [])
        if len(items) == shared:
            return window
        mosaics = mosaics_of_window([item.mask for item in items], [item.regions for item in items])
        for mosaic in mosaics:
            for crop in plan_crops(mosaic.masks):
                job = self.processes.submit(self._job(items, crop, mosaic)) if self._ahead else None
                window.crops.append((crop, mosaic, job))
        return window

    def _finish(self, window: _Window) -> list[Item]:
        """Return those frames of a window that are now restored. The first ``shared`` carry the
        previous window's result.
        """
        for crop, mosaic, handed_out in window.crops:
            if handed_out is None:
                restored = self.network(self._job(window.items, crop, mosaic))
            else:
                restored = self.processes.result(handed_out)
            self._misses += restored.misses
            self._pixels += restored.pixels
            for number, (item, square) in enumerate(
                zip(window.items, restored.squares, strict=True)
            ):
                # The weight of this window rises from frame to frame while the previous window's
                # falls.
                weight = (number + 1) / (window.shared + 1) if number < window.shared else 1
                _keep(item, crop, number, square, mosaic.masks[number], weight)
            del restored
        window.crops.clear()
        release_free_memory()
        return window.items[: window.done]

    def _job(self, items: list[Item], crop: Crop, mosaic: WindowMosaic) -> Job:
        squares = [crop.cut(item.rgb, number) for number, item in enumerate(items)]
        if mosaic.block is None or mosaic.origin is None:
            return Job(squares, None)
        size = self.size or crop.side
        ratio = size / crop.side
        masks = [
            _resize(crop.cut(mask.astype(np.uint8), number), size, cv2.INTER_NEAREST)
            for number, mask in enumerate(mosaic.masks)
        ]
        origin = (mosaic.origin - crop.corners + crop.padding) * ratio
        return Job(squares, masks, (mosaic.block[0] * ratio, mosaic.block[1] * ratio), origin)

    def network(self, job: Job) -> Restored:
        """Restore the squares of a job."""
        side = job.squares[0].shape[0]
        size = self.size or side
        clip = torch.from_numpy(np.stack([_resize(square, size) for square in job.squares]))
        clip = clip.to(self.device).permute(0, 3, 1, 2)[None].float() / 255
        grid = None
        if job.masks is not None and job.origin is not None:
            masks = torch.from_numpy(np.stack(job.masks))[None].to(self.device)
            grid = BlockGrid(masks, [job.block], [torch.from_numpy(job.origin)])
        inputs = (clip, grid) if takes_grid(self.generator) else (clip,)
        misses, pixels = 0.0, 0
        with torch.inference_mode():
            with torch.autocast(self.device.type, torch.float16, enabled=self.half):
                output = self.generator(*inputs)
            if self.half and not output.isfinite().all():
                output = self.generator(*inputs)
            output = output.float().clamp(0, 1)
            if grid is not None and output.shape == clip.shape:
                misses = float((grid.error(output, clip).square() * grid.pixels).sum())
                pixels = int(grid.pixels.sum())
        output = (output[0] * 255).permute(0, 2, 3, 1).cpu().numpy()
        return Restored([_resize(square, side) for square in output], misses, pixels)


def feathered(mask: np.ndarray, feather: int) -> np.ndarray:
    """Return float32 weights (H, W): 0 outside the mask, 1 further than ``feather`` pixels inside
    its edge.

    The picture's border is no edge.
    """
    if feather < 1:
        return mask.astype(np.float32)
    framed = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    distance = cv2.distanceTransform(framed, cv2.DIST_L2, cv2.DIST_MASK_5)[1:-1, 1:-1]
    return np.minimum(distance / (feather + 1), 1) * mask


def _keep(
    item: Item, crop: Crop, number: int, square: np.ndarray, mask: np.ndarray, weight: float
) -> None:
    """Mix a restored square into the item's result, inside the crop's region and ``mask``."""
    if not mask.any():
        return
    box, window = item.box(), crop.window(number)
    seen = tuple(
        slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(box, window, strict=True)
    )
    if any(part.stop <= part.start for part in seen):
        return
    if item.restored is None:
        item.restored = item.rgb[box].astype(np.float32)
    target = item.restored[_within(seen, box)]
    patch = crop.uncut(square)[_within(seen, window)]
    np.copyto(
        target, target + weight * (patch - target), where=(mask & crop.region)[seen][..., None]
    )


def _within(part: tuple[slice, ...], whole: tuple[slice, ...]) -> tuple[slice, ...]:
    return tuple(
        slice(a.start - b.start, a.stop - b.start) for a, b in zip(part, whole, strict=True)
    )


def _resize(square: np.ndarray, side: int, method: int | None = None) -> np.ndarray:
    if square.shape[0] == side:
        return square
    if method is None:
        method = cv2.INTER_AREA if side < square.shape[0] else cv2.INTER_CUBIC
    return cv2.resize(square, (side, side), interpolation=method)
