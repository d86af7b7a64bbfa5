"""A picture and a short video of one clip, as training sees it."""

import hashlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from lada.data import ClipMetadata
from lada.data.dataset import build_pipeline, default_pipeline, draw_window
from lada.dataset_tools.workers import Watch
from lada.errors import LadaError
from lada.evaluation.pictures import encode_picture, shrink
from lada.file_part import FilePart
from lada.files import write_atomically
from lada.randomness import keyed_rng
from lada.text import one_line
from lada.video import write_video

SIDE, GAP = 192, 4
"""Pixels of each of the three pictures beside each other, and between two of them."""
PICTURE, VIDEO = '.jpg', '.mp4'
_FORMAT = 1
"""Counted up when the same clip and look give other files."""


class Look(NamedTuple):
    """How samples are drawn.

    Attributes:
        frames: of a sample, at a random place in the clip.
        size: side of the network's input in pixels.
        degrade: compression, blur and noise.
        seed, epoch: start of all randomness; beside the clip's name, so that other clips may come
            and go.
    """

    frames: int
    size: int
    degrade: bool
    seed: int
    epoch: int


def media_name(name: str, clip: ClipMetadata, look: Look) -> str:
    """Return a name for a clip's files that changes when they have to be made again. Raises OSError
    where a file of the clip is missing.

    Args:
        name: of the clip among all.
        clip: its metadata.
        look: how it is drawn.
    """
    drawn = clip.frames_count, clip.fps, clip.base_mosaic_block_size, clip.pad
    content = [_identity(path) for path in (clip.video_path, clip.mask_path)]
    text = repr((_FORMAT, name, *look, drawn, content))
    digest = hashlib.sha256(text.encode('utf-8', 'surrogateescape')).hexdigest()
    return f'{digest[:2]}/{digest[2:18]}'


def _identity(path: Path | FilePart) -> str:
    if isinstance(path, FilePart):
        return path.sha256.hex()
    found = path.stat()
    return f'{found.st_size} {found.st_mtime_ns}'


def make_media(name: str, clip: ClipMetadata, look: Look, target: Path, watch: Watch) -> str | None:
    """Write video and picture of a clip, the picture last; returns why it cannot be done, if so
    (runs in a worker).

    Args:
        name, clip, look: see :func:`media_name`.
        target: the files without suffix.
        watch: is told of the frames.
    """
    try:
        frames = _side_by_side(_sample(name, clip, look))
        write_video(
            target.with_name(target.name + VIDEO),
            frames,
            clip.fps,
            options={'preset': 'veryfast', 'crf': '26'},
        )
        still = encode_picture(frames[len(frames) // 2], PICTURE, cv2.IMWRITE_JPEG_QUALITY, 80)
        write_atomically(target.with_name(target.name + PICTURE), still)
    except LadaError as error:
        return one_line(error)
    watch.frames_done(len(frames))
    watch.clip_done()
    return None


def _sample(name: str, clip: ClipMetadata, look: Look) -> dict:
    rng = keyed_rng('browse', look.seed, look.epoch, name)
    start, stop = draw_window(clip.frames_count, look.frames, rng)
    sample = {'meta': clip, 'start': start, 'stop': stop, 'rng': rng}
    for transform in _pipeline(look):
        sample = transform(sample)
    return sample


@cache
def _pipeline(look: Look) -> list:
    steps = default_pipeline(
        degrade=look.degrade,
        use_hflip=True,
        random_mosaic_params=True,
        lq_size=look.size,
        scale=1,
        rotation_probability=0.3,
    )
    return build_pipeline(steps[:-1])  # arrays, not tensors


def _side_by_side(sample: dict) -> np.ndarray:
    """Return frames (T, H, W, 3) of input, truth and mask; H and W are even."""
    masks = np.repeat(sample['mask'][..., None], 3, 3)
    parts = [shrink(frames, SIDE) for frames in (sample['inputs'], sample['gt'], masks)]
    count, height, width = parts[0].shape[:3]
    sheet = np.full((count, height + height % 2, 3 * width + 2 * GAP + width % 2, 3), 255, np.uint8)
    for number, part in enumerate(parts):
        left = number * (width + GAP)
        sheet[:, :height, left : left + width] = part
    return sheet
