"""The mosaics of a video file: as masks, and as a list for other programs."""

import json
from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from lada.errors import LadaError
from lada.mosaic.find import MosaicRegion, find_mosaics, mask_of
from lada.text import counted
from lada.video import VideoInfo, iter_frames

FORMAT = 1


def find_in_video(video: VideoInfo) -> Iterator[list[MosaicRegion]]:
    """Yield the mosaics of each frame of a video file, see :func:`lada.mosaic.find.find_mosaics`.

    Raises LadaError for a file that cannot be read to its end, or whose frames change their size.
    """
    return find_mosaics(_luma(video))


def _luma(video: VideoInfo) -> Iterator[np.ndarray]:
    for number, frame in enumerate(iter_frames(video.path, gray=True)):
        if frame.shape != (video.height, video.width):
            raise LadaError(
                f'the frame size changes: {video.path}, frame {number} is {frame.shape[1]}x'
                f'{frame.shape[0]} after {video.width}x{video.height}; re-encode the file to one'
                ' size'
            )
        yield frame


class FoundMosaics:
    """Collects what was found in the frames of a video, one after the other."""

    def __init__(self, video: VideoInfo):
        self.video, self.frames, self.frames_with_mosaic = video, 0, 0
        self._regions: list[dict] = []
        self._seen: dict[int, list[tuple[int, tuple[float, float]]]] = defaultdict(list)

    def collect(self, found: Iterator[list[MosaicRegion]]) -> Iterator[np.ndarray]:
        """Take the mosaics of every frame and yield its mask, (H, W) bool."""
        for regions in found:
            for region in regions:
                self._add(region)
            self.frames += 1
            self.frames_with_mosaic += bool(regions)
            yield mask_of(regions, (self.video.height, self.video.width))

    def _add(self, region: MosaicRegion) -> None:
        top, left, bottom, right = region.box
        self._seen[region.track].append((self.frames, region.block_size))
        self._regions.append(
            {
                'frame': self.frames,
                'track': region.track,
                'box': [left, top, right, bottom],
                'block': [round(size, 3) for size in region.block_size],
                'grid': [round(place, 3) for place in region.origin],
                'confidence': round(region.confidence, 3),
            }
        )

    def block_sizes(self) -> list[dict]:
        """Return the block sizes of the video, the most frequent first: ``height`` and ``width`` in
        pixels, each rounded to a tenth, and in how many ``frames`` a mosaic has them.
        """
        frames: dict[tuple[float, float], set[int]] = defaultdict(set)
        for seen in self._seen.values():
            numbers, sizes = zip(*seen, strict=True)
            height, width = np.median(sizes, axis=0).round(1).tolist()
            frames[height, width].update(numbers)
        ordered = sorted(frames.items(), key=lambda item: (-len(item[1]), item[0]))
        return [{'height': h, 'width': w, 'frames': len(numbers)} for (h, w), numbers in ordered]

    def to_json(self) -> bytes:
        """Return everything, as the guide describes it."""
        return json.dumps(
            {
                'format': FORMAT,
                'video': self.video.path.name,
                'width': self.video.width,
                'height': self.video.height,
                'frames': self.frames,
                'frames_with_mosaic': self.frames_with_mosaic,
                'block_sizes': self.block_sizes(),
                'regions': self._regions,
            }
        ).encode()

    def lines(self) -> list[str]:
        """Return what to tell a user."""
        if not self._regions:
            return [f'no mosaic found in {counted(self.frames, "frame")}']
        sizes = [
            f'blocks of {each["width"]:g}x{each["height"]:g} pixels (width x height):'
            f' {counted(each["frames"], "frame")}'
            for each in self.block_sizes()
        ]
        return [
            f'a mosaic in {self.frames_with_mosaic:,} of {counted(self.frames, "frame")}',
            *sizes,
        ]
