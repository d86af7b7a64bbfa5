"""Writing the three files of a clip: video, mask, and last its metadata."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from lada.data import ClipMetadata
from lada.dataset_tools.create.planning import CreationSettings, PlannedClip, Survey
from lada.dataset_tools.create.sources import Source
from lada.dataset_tools.create.trajectories import MovingRegion, fill_outline
from lada.dataset_tools.create.windows import follow, window_side
from lada.folders import mask_path, metadata_path, video_path
from lada.mosaic import base_block_sizes
from lada.mosaic.crops import SMALLEST_SIDE, square_padding
from lada.randomness import keyed_rng
from lada.video import VideoWriter, clip_encoding, iter_frames, mask_encoding
from lada.video.boxes import BoxTrack

COVERAGE = 0.14, 0.36
"""Fraction of a crop that its region covers on average: enough to restore, and context to restore
it from.
"""
MASKS_MEASURED = 32
"""The block size is measured on at most this many masks of a clip, which bounds memory for long
clips.
"""


@dataclass
class _OpenClip:
    """A clip being written."""

    clip: PlannedClip
    side: int
    corners: np.ndarray
    size: tuple[int, int]
    region: MovingRegion | BoxTrack | None
    """None where the mask was given."""
    video: VideoWriter
    mask: VideoWriter
    kept_masks: list[np.ndarray]

    def add(self, frame: np.ndarray, full_mask: np.ndarray | None, fps: float) -> None:
        index = self.video.frames_written
        y, x = self.corners[index]
        height, width = self.size
        if isinstance(self.region, BoxTrack):
            mask = np.zeros(self.size, np.uint8)
            first_y, first_x, last_y, last_x = self.region.boxes[
                self.clip.shot.start + index - self.region.start
            ]
            mask[
                max(first_y - y, 0) : max(last_y - y, 0), max(first_x - x, 0) : max(last_x - x, 0)
            ] = 255
        elif self.region is not None:
            mask = fill_outline(
                self.region.outline((self.clip.shot.start + index) / fps), self.size, (y, x)
            )
        else:
            assert full_mask is not None
            mask = np.where(
                full_mask[y : y + height, x : x + width] > 127, np.uint8(255), np.uint8(0)
            )
        top, bottom, left, right = square_padding(self.size, self.side)
        self.video.write(
            np.pad(frame[y : y + height, x : x + width], ((top, bottom), (left, right), (0, 0)))
        )
        self.mask.write(np.pad(mask, ((top, bottom), (left, right))))
        length = self.clip.shot.stop - self.clip.shot.start
        if index % -(-length // MASKS_MEASURED) == 0:
            self.kept_masks.append(mask)


def cut_clips(
    source: Source,
    found: Survey,
    clips: list[PlannedClip],
    settings: CreationSettings,
    root: Path,
    staging: Path,
    seen: Callable[[int], None] = lambda frames: None,
) -> Iterator[PlannedClip]:
    """Write clips into the dataset and yield each when it is complete.

    All clips of one stretch of frames are written while its frames are read once. Files are moved
    to their places when complete, the metadata last: a clip with metadata is whole.

    Args:
        source: the video.
        found: what surveying it gave.
        clips: which to write, sorted by their frames.
        settings: what is cut.
        root: folder of the dataset.
        staging: folder for unfinished files, on the same file system.
        seen: is told of each frame.
    """
    for shot, group in groupby(clips, key=lambda clip: clip.shot):
        yield from _cut_stretch(source, found, shot, list(group), settings, root, staging, seen)


def _cut_stretch(
    source, found, shot, clips, settings, root, staging, seen
) -> Iterator[PlannedClip]:
    fps = float(found.fps)
    with ExitStack() as stack:
        opened = [_open_clip(source, found, clip, settings, staging, stack) for clip in clips]
        masks = (
            iter_frames(found.mask_path, shot.start, shot.stop, gray=True)
            if found.mask_path
            else None
        )
        for frame in iter_frames(source.path, shot.start, shot.stop):
            full_mask = next(masks) if masks is not None else None
            for part in opened:
                part.add(frame, full_mask, fps)
            seen(1)
    for part in opened:
        stem = part.clip.stem(source)
        for written, place in (
            (part.video.path, video_path(root, stem)),
            (part.mask.path, mask_path(root, stem)),
        ):
            place.parent.mkdir(parents=True, exist_ok=True)
            written.replace(place)
        # Beside the metadata folder the relative paths are the same as in it.
        written = staging / f'{stem}.json'
        metadata = _metadata(source, found, part, root)
        metadata.to_file(written, settings.metadata_version)
        metadata_path(root, stem).parent.mkdir(parents=True, exist_ok=True)
        written.replace(metadata_path(root, stem))
        yield part.clip


def _open_clip(
    source: Source,
    found: Survey,
    clip: PlannedClip,
    settings: CreationSettings,
    staging: Path,
    stack: ExitStack,
) -> _OpenClip:
    shot, shape, fps = clip.shot, found.frame_shape, float(found.fps)
    rng = keyed_rng(settings.seed, source.name, shot.start, clip.region)
    coverage = rng.uniform(*COVERAGE)
    if found.tracks is not None:
        region = found.tracks[clip.region]
        boxes = region.boxes[shot.start - region.start : shot.stop - region.start]
        area = float(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1).mean())
    elif found.boxes is None or found.areas is None:
        region = random_region(rng, shape, settings.size_range)
        outlines = np.stack([region.outline(i / fps) for i in range(shot.start, shot.stop)])[
            ..., ::-1
        ]
        boxes = np.concatenate([outlines.min(axis=1), outlines.max(axis=1)], axis=1)
        area = np.pi / 4 * region.diameter**2
    else:
        region, boxes = None, found.boxes[shot.start : shot.stop]
        area = float(found.areas[shot.start : shot.stop].mean())
    side = window_side(boxes, area, coverage, shape)
    stem = clip.stem(source)
    return _OpenClip(
        clip,
        side,
        follow(boxes, side, shape, fps, rng),
        (min(side, shape[0]), min(side, shape[1])),
        region,
        stack.enter_context(VideoWriter(staging / f'{stem}.mp4', found.fps, **clip_encoding())),
        stack.enter_context(VideoWriter(staging / f'{stem}.mkv', found.fps, **mask_encoding())),
        [],
    )


def random_region(
    rng: np.random.Generator, frame_shape: tuple[int, int], size_range: tuple[float, float]
) -> MovingRegion:
    """Return a region whose diameter is log-uniform.

    Where that is too little for the smallest crop, it is enlarged to cover enough of it.

    Args:
        rng: source of its shape and motion.
        frame_shape: height and width in pixels.
        size_range: limits of the diameter as a fraction of the frame's short side.
    """
    short = min(frame_shape)
    diameter = short * np.exp(rng.uniform(*np.log(size_range)))
    return MovingRegion(rng, frame_shape, max(diameter, 0.45 * min(SMALLEST_SIDE, short)))


def _metadata(source: Source, found: Survey, part: _OpenClip, root: Path) -> ClipMetadata:
    stem, shot = part.clip.stem(source), part.clip.shot
    frames = shot.stop - shot.start
    whole = next(each for each in found.shots if each.start == part.clip.within)
    return ClipMetadata(
        stem=stem,
        name=source.name,
        source={'file': source.path.name, 'sha256': source.sha256, 'start_frame': shot.start},
        fps=float(found.fps),
        frames_count=frames,
        orig_shape=found.frame_shape,
        scene_shape=part.size,
        base_mosaic_block_size=base_block_sizes(np.stack(part.kept_masks), found.frame_shape),
        pad=[list(square_padding(part.size, part.side))] * frames,
        video_path=video_path(root, stem),
        mask_path=mask_path(root, stem),
        censoring_detected=found.statistics.shows_mosaic(*whole),
    )
