"""Finding the mosaics of a video from its pixels alone.

Blocks that are flat inside, with steps between them at equal distances, are a mosaic, whatever they
cover. Each frame of a stretch is searched by itself; then a mosaic is followed through the stretch,
where its grid and what speaks for its blocks are averaged over neighbouring frames.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from lada.mosaic.find_in_frame import Frame, find_in_frame, same_blocks, shared
from lada.mosaic.mosaic_track import LEAST_WEIGHT, Track, follow_mosaic

_STRETCH = 48
"""Frames that are looked at together, at most, in 1280x720."""
_SHORTEST_STRETCH = 8
_SEARCHED_EVERY = 3


@dataclass(frozen=True)
class MosaicRegion:
    """A mosaic in one frame."""

    box: tuple[int, int, int, int]
    """Top, left, bottom and right in pixels, the latter two excluded."""
    mask: np.ndarray
    """(bottom - top, right - left) bool: which pixels of the box belong to it."""
    block_size: tuple[float, float]
    """Height and width of a block in pixels."""
    origin: tuple[float, float]
    """Where a corner between blocks lies, y and x in pixels from the frame's upper left edge, near
    the upper left of the box. Further lines follow at multiples of the block size.
    """
    confidence: float
    """0 to 1."""
    track: int
    """The same number in all frames through which a mosaic was followed."""


def find_mosaics(frames: Iterable[np.ndarray]) -> Iterator[list[MosaicRegion]]:
    """Yield the mosaics of each frame of a video, in order.

    Some 50 frames are held at a time, fewer of large ones.

    Args:
        frames: (H, W, 3) RGB or (H, W) luma, uint8, all of one size.
    """
    tracks, before = 0, []
    for stretch in _stretches(frames):
        found = _find_in_stretch(stretch)
        numbers: dict[int, int] = {}
        for region in (region for each in found for region in each):
            if region.track not in numbers:
                # One that goes on where the stretch before ended keeps its number.
                same = next((old for old in before if _continues(old, region)), None)
                numbers[region.track] = tracks if same is None else same.track
                tracks += same is None
            before = [old for old in before if old.track not in numbers.values()]
        for each in found:
            before = [replace(region, track=numbers[region.track]) for region in each]
            yield before


def _continues(old: MosaicRegion, new: MosaicRegion) -> bool:
    return (
        same_blocks(old.block_size, new.block_size)
        and max(shared(old.box, new.box), shared(new.box, old.box)) > 0.5
    )


def mask_of(regions: Iterable[MosaicRegion], shape: tuple[int, int]) -> np.ndarray:
    """Return which pixels of a frame of ``shape`` belong to any of its mosaics, (H, W) bool."""
    mask = np.zeros(shape, bool)
    for region in regions:
        top, left, bottom, right = region.box
        mask[top:bottom, left:right] |= region.mask
    return mask


def _stretches(frames: Iterable[np.ndarray]) -> Iterator[list[Frame]]:
    held: list[Frame] = []
    length = _STRETCH
    for frame in frames:
        luma = frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        held.append(Frame(luma))
        if len(held) == 1:
            length = max(_SHORTEST_STRETCH, min(_STRETCH, _STRETCH * 1280 * 720 // luma.size))
        # The last stretch must not be too short to tell.
        if len(held) == length + _SHORTEST_STRETCH:
            yield held[:length]
            held = held[length:]
    if held:
        yield held


def _find_in_stretch(frames: list[Frame]) -> list[list[MosaicRegion]]:
    searched = range(0, len(frames), _SEARCHED_EVERY)
    seeds = [(t, mosaic) for t in searched for mosaic in find_in_frame(frames[t])]
    seeds.sort(key=lambda seed: -seed[1].weight)
    tracks: list[Track] = []
    for t, mosaic in seeds:
        if any(track.covers(t, mosaic) for track in tracks):
            continue
        track = follow_mosaic(frames, t, mosaic)
        if track is not None:
            tracks.append(track)
    regions: list[list[MosaicRegion]] = [[] for _ in frames]
    for number, track in enumerate(tracks):
        mosaics = list(track.mosaics(frames))
        if not mosaics or np.mean([mosaic.weight for _, mosaic in mosaics]) < LEAST_WEIGHT:
            continue
        for t, mosaic in mosaics:
            region = MosaicRegion(
                mosaic.box,
                mosaic.mask(),
                mosaic.periods,
                mosaic.origin,
                mosaic.confidence,
                number,
            )
            # Parts of one mosaic, each found in another frame, may have grown into the whole.
            if not _mostly_in(region, regions[t], frames[t].shape):
                regions[t].append(region)
    return regions


def _mostly_in(region: MosaicRegion, others: list[MosaicRegion], shape: tuple[int, int]) -> bool:
    if not others:
        return False
    top, left, bottom, right = region.box
    shared_mask = region.mask & mask_of(others, shape)[top:bottom, left:right]
    return bool(2 * np.count_nonzero(shared_mask) >= np.count_nonzero(region.mask))
