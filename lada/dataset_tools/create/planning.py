"""Which clips a source video gives: one pass over its frames, then a pure function of what was
seen.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lada.dataset_tools.create.sources import VIDEO_SUFFIXES, Source
from lada.dataset_tools.create.statistics import FrameStatistics
from lada.errors import LadaError
from lada.folders import clip_stem
from lada.text import printable
from lada.video import iter_frames, probe
from lada.video.boxes import BoxTrack, read_boxes
from lada.video.shots import Shot, ShotFinder, cut_into_pieces, thumbnail


@dataclass(frozen=True)
class CreationSettings:
    """What decides which clips a source gives, besides its content and name."""

    seed: int = 42
    min_frames: int = 30
    max_frames: int = 60
    clips_per_shot: int = 1
    size_range: tuple[float, float] = (0.2, 0.45)
    """Region diameter, as a fraction of the frame's short side."""
    mask_dir: Path | None = None
    boxes_file: Path | None = None
    min_resolution: int = 128
    """Pixels of a source's short side; 0 for off, as with all that follows."""
    min_light: float = 16.0
    """Mean luma, 0 to 255."""
    min_change: float = 0.1
    """Mean absolute difference of luma between two frames, in grey levels, below which the picture
    stands still; a clip is frozen if it does so most of the time.
    """
    max_blur: float = 0.7
    """0 to 1, see :func:`lada.dataset_tools.create.statistics.blurriness`."""
    drop_duplicates: bool = True
    """Leave clips out that show what a clip of another shot or source shows."""
    drop_mosaicked: bool = True
    """Leave shots out that show a mosaic already."""
    metadata_version: int = 3
    """Of the metadata that is written: 3, or 2 for public Lada."""

    def __post_init__(self):
        if self.mask_dir is not None and self.boxes_file is not None:
            raise LadaError('regions are given twice; use either --mask-dir or --boxes')
        if (
            min(self.min_resolution, self.min_light, self.min_change) < 0
            or not 0 <= self.max_blur <= 1
        ):
            raise LadaError(
                'not a threshold: --min-resolution, --min-light and --min-change are at least 0, '
                '--max-blur is 0 to 1'
            )
        if not 1 <= self.min_frames <= self.max_frames:
            raise LadaError(
                f'not a range of frames: {self.min_frames} to {self.max_frames}; '
                'use 1 <= --min-frames <= --max-frames'
            )
        if self.clips_per_shot < 1:
            raise LadaError(f'not a number of clips per shot: {self.clips_per_shot}; use 1 or more')
        if not 0 < self.size_range[0] <= self.size_range[1] <= 0.7:
            raise LadaError(
                f'not a range of region sizes: {self.size_range[0]} to {self.size_range[1]}; '
                'use fractions of the short side with 0 < low <= high <= 0.7'
            )


def options_of(source: Source, settings: CreationSettings) -> dict[str, Any]:
    """Return what, besides its content, decides which clips a source gives, by the names of the
    command's options; ready for JSON.

    Masks stand for themselves by their file's size and time, boxes by their hash.
    """
    masks = boxes = None
    if settings.mask_dir is not None:
        with suppress(LadaError, OSError):
            status = find_mask(settings.mask_dir, source.path).stat()
            masks = [status.st_size, status.st_mtime_ns]
    if settings.boxes_file is not None:
        regions = read_boxes(settings.boxes_file).of(source.path)
        told = repr([region.told() for region in regions])
        boxes = hashlib.sha256(told.encode()).hexdigest()[:16]
    return {
        '--seed': settings.seed,
        '--min-frames': settings.min_frames,
        '--max-frames': settings.max_frames,
        '--clips-per-shot': settings.clips_per_shot,
        '--size-range': list(settings.size_range),
        '--mask-dir': masks,
        '--boxes': boxes,
        '--min-resolution': settings.min_resolution,
        '--min-light': settings.min_light,
        '--min-change': settings.min_change,
        '--max-blur': settings.max_blur,
        '--keep-duplicates': not settings.drop_duplicates,
        '--keep-mosaicked': not settings.drop_mosaicked,
        '--metadata-version': settings.metadata_version,
    }


class PlannedClip(NamedTuple):
    """A clip to cut: its number within the source, its frames, and which of the shot's regions it
    shows.
    """

    number: int
    shot: Shot
    region: int
    hash_pair: tuple[int, int] | None = None
    """Perceptual hashes of the frames at the start and in the middle of its stretch; None where a
    frame is flat.
    """
    within: int = 0
    """First frame of the whole shot."""

    def stem(self, source: Source) -> str:
        return clip_stem(source.name, self.number)


@dataclass(frozen=True)
class Survey:
    """What was found in one pass over a source."""

    frame_shape: tuple[int, int]
    fps: Fraction
    shots: list[Shot]
    statistics: FrameStatistics
    mask_path: Path | None = None
    boxes: np.ndarray | None = None
    """(T, 4) top, left, bottom, right of the given mask in each frame; all zero where it is empty.
    """
    areas: np.ndarray | None = None
    """(T,) pixels of the given mask."""
    tracks: list[BoxTrack] | None = None
    """Boxes that were given; None where none were."""


def survey(
    source: Source, settings: CreationSettings, seen: Callable[[int], None] = lambda frames: None
) -> Survey:
    """Go through all frames of a source, one at a time.

    Raises LadaError (VideoError) for a file that cannot be read to its end or whose mask video does
    not fit.

    Args:
        source: the video.
        settings: name masks or boxes, where there are any.
        seen: is told how many more frames were gone through.
    """
    fps = probe(source.path).fps
    mask_path = find_mask(settings.mask_dir, source.path) if settings.mask_dir is not None else None
    masks = iter_frames(mask_path, gray=True) if mask_path else None
    regions = (
        None if settings.boxes_file is None else read_boxes(settings.boxes_file).of(source.path)
    )
    finder, statistics, shape, boxes, areas = ShotFinder(), FrameStatistics(), None, [], []
    for frame in iter_frames(source.path):
        if shape is None:
            shape = frame.shape[:2]
            if min(shape) < settings.min_resolution:
                raise LadaError(
                    f'{shape[1]}x{shape[0]} is smaller than {settings.min_resolution}'
                    ' (--min-resolution)'
                )
        elif frame.shape[:2] != shape:
            raise LadaError(
                f'the frame size changes within the video: {printable(source.path)}, from'
                f' {shape[1]}x{shape[0]} to {frame.shape[1]}x{frame.shape[0]} at frame'
                f' {finder.frames}; re-encode it to one size'
            )
        if masks is not None and mask_path is not None:
            mask = _checked_mask(next(masks, None), shape, mask_path, finder.frames)
            box, area = mask_box(mask)
            boxes.append(box)
            areas.append(area)
        small = thumbnail(frame)
        finder.add(small)
        statistics.add(frame, small)
        seen(1)
    if shape is None:
        raise LadaError(
            f'no frames in the video: {printable(source.path)}; remove or replace the file'
        )
    if masks is None:
        tracks = None
        if regions is not None:
            tracks = [
                clipped
                for region in regions
                if (clipped := region.within(shape, finder.frames)) is not None
            ]
        return Survey(shape, fps, finder.shots(), statistics, tracks=tracks)
    if next(masks, None) is not None:
        raise LadaError(
            f'the mask video is longer than the video: {printable(mask_path)}, more than '
            f'{finder.frames} frames; make one mask frame per video frame'
        )
    return Survey(
        shape, fps, finder.shots(), statistics, mask_path, np.array(boxes), np.array(areas)
    )


def plan_clips(found: Survey, settings: CreationSettings) -> tuple[list[PlannedClip], Counter]:
    """Return the clips to cut, numbered from 0, and why how many stretches were dropped."""
    clips: list[PlannedClip] = []
    dropped = Counter()
    for shot in found.shots:
        if settings.drop_mosaicked and found.statistics.shows_mosaic(*shot):
            dropped['shot with a mosaic already (--keep-mosaicked)'] += 1
            continue
        stretches = list(_stretches(shot, found, settings))
        if not stretches:
            dropped['shot without a region'] += 1
        for stretch, regions in stretches:
            pieces = cut_into_pieces(stretch, settings.min_frames, settings.max_frames)
            if not pieces:
                dropped[f'shorter than {settings.min_frames} frames'] += 1
            for piece in pieces:
                fault = _fault(piece, found.statistics, settings)
                if fault is not None:
                    dropped[fault] += len(regions)
                    continue
                pair = found.statistics.hash_pair(*piece)
                clips += [
                    PlannedClip(len(clips) + i, piece, region, pair, shot.start)
                    for i, region in enumerate(regions)
                ]
    return clips, dropped


def _stretches(
    shot: Shot, found: Survey, settings: CreationSettings
) -> Iterator[tuple[Shot, Sequence[int]]]:
    """Yield stretches of a shot and the numbers of the regions to show in each."""
    if found.areas is not None:
        yield from ((run, [0]) for run in masked_runs(shot, found.areas))
    elif found.tracks is not None:
        for number, track in enumerate(found.tracks):
            start, stop = max(shot.start, track.start), min(shot.stop, track.stop)
            if start < stop:
                yield Shot(start, stop), [number]
    else:
        yield shot, range(settings.clips_per_shot)


def _fault(piece: Shot, statistics: FrameStatistics, settings: CreationSettings) -> str | None:
    """Return why a stretch of frames is of no use, or None."""
    if statistics.light_of(*piece) < settings.min_light:
        return f'darker than {settings.min_light:g} (--min-light)'
    if statistics.frozen_of(*piece, settings.min_change) > 0.5:
        return f'frozen, changes below {settings.min_change:g} (--min-change)'
    if settings.max_blur and statistics.blur_of(*piece) > settings.max_blur:
        return f'blurrier than {settings.max_blur:g} (--max-blur)'
    return None


def masked_runs(shot: Shot, areas: np.ndarray) -> Iterator[Shot]:
    """Yield the longest stretches of a shot in which every frame has a mask."""
    present = areas[shot.start : shot.stop] > 0
    edges = np.flatnonzero(np.diff(np.concatenate([[False], present, [False]]).astype(np.int8)))
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        yield Shot(shot.start + int(start), shot.start + int(stop))


def find_mask(mask_dir: Path, video: Path) -> Path:
    """Return the mask video of ``video``: the file of the same stem in ``mask_dir``. Raises
    LadaError.
    """
    for suffix in chain(['.mkv', video.suffix], sorted(VIDEO_SUFFIXES)):
        path = mask_dir / f'{video.stem}{suffix}'
        if path.is_file():
            return path
    raise LadaError(
        f'no mask video: {printable(video.stem)}.* is missing in {printable(mask_dir)}; '
        'add it or leave --mask-dir away'
    )


def mask_box(mask: np.ndarray) -> tuple[tuple[int, int, int, int], int]:
    """Return the box (top, left, bottom, right) around all set pixels, and how many there are."""
    on = mask > 127
    rows, columns = np.flatnonzero(on.any(axis=1)), np.flatnonzero(on.any(axis=0))
    if not len(rows):
        return (0, 0, 0, 0), 0
    return (int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1), int(
        np.count_nonzero(on)
    )


def _checked_mask(
    mask: np.ndarray | None, shape: tuple[int, int], path: Path, number: int
) -> np.ndarray:
    if mask is None:
        raise LadaError(
            f'the mask video ends early: {printable(path)} has {number} frames; '
            'make one mask frame per video frame'
        )
    if mask.shape != shape:
        raise LadaError(
            f'the mask video has another size: {printable(path)} is'
            f' {mask.shape[1]}x{mask.shape[0]}, the video {shape[1]}x{shape[0]}; make both the same'
        )
    return mask
