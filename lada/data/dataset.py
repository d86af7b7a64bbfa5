"""Clips with a mosaic drawn on them, the way the network sees them."""

import logging
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log
from torch.utils.data import Dataset

from lada.data.catalog import ClipCatalog
from lada.data.metadata import ClipMetadata
from lada.data.part_cache import PartCache
from lada.data.sampler import ClipDraw, replacements, sample_rng
from lada.data.worker import BusyClips
from lada.errors import LadaError
from lada.registry import DATASETS, TRANSFORMS
from lada.text import counted, one_line, some

SAMPLES_VERSION = 2
"""Rises when a sample of the same dataset, seed, index and epoch becomes another. 2: clips are
resized while they are read, and the mosaic is drawn on the resized clip."""


@DATASETS.register_module()
class MosaicVideoDataset(Dataset):
    """Samples ``dict(inputs, data_samples)`` made from the clips of one split; arguments as public
    Lada's class.

    ``dataset[ClipDraw(index, epoch)]`` (or ``dataset[index]``, epoch 0) is a function of (seed,
    index, epoch). Where the clip of a :class:`ClipDraw` cannot be used, another takes its place,
    chosen by (seed, index, epoch) too, and the sample's metadata says so: ``replaced`` is a list of
    (stem, reason). A plain index stands for that clip only.

    Args:
        metadata_root_dir: folder of the clips' JSON files, or of a packed dataset, or the latter's
            address (``s3://bucket/folder``).
        num_frame: frames of a sample, at a random place in the clip; -1 for whole clips.
        min_num_frame: clips with fewer frames are left out; ``num_frame`` unless given. A clip with
            fewer than ``num_frame`` frames gives all it has.
        degrade: degrade the input (:class:`~lada.data.transforms.DegradeClip`).
        use_hflip: mirror half of the samples.
        repeatable_random: every epoch is epoch 0, as validation needs.
        random_mosaic_params: draw a new look for every sample; False uses the mosaic video, else
            the look, that the metadata names.
        lq_size: side of the input in pixels.
        filter_watermark: leave clips out in which a watermark was found.
        filter_nudenet_nsfw: keep only clips whose ``nudenet_nsfw_detected`` is true.
        filter_video_quality: leave clips out whose ``video_quality.overall`` is known and lower;
            False for off.
        scale: how many times larger the ground truth is than the input.
        rotation_probability: how often a sample is rotated by 1 or 2 degrees.
        seed: start of all randomness, >= 0.
        cache: keep decoded clips: ``dict(folder=..., max_gb=...)``, see
            :class:`~lada.data.cache.FrameCache`.
        download_cache: keep downloaded files of a packed dataset behind an address: the same, see
            :class:`~lada.data.part_cache.PartCache`.
        pipeline: configs of registered transforms that take the place of the default ones; then
            ``degrade``, ``use_hflip``, ``random_mosaic_params``, ``lq_size``, ``scale``,
            ``rotation_probability`` and ``cache`` have no effect.
    """

    def __init__(
        self,
        metadata_root_dir: str | Path,
        num_frame: int,
        min_num_frame: int | None = None,
        degrade: bool = False,
        use_hflip: bool = False,
        repeatable_random: bool = False,
        random_mosaic_params: bool = True,
        lq_size: int = 256,
        filter_watermark: bool = False,
        filter_nudenet_nsfw: bool = False,
        filter_video_quality: float | bool = False,
        scale: int = 1,
        rotation_probability: float = 0.3,
        seed: int = 0,
        cache: dict | None = None,
        download_cache: dict | None = None,
        pipeline: Sequence[dict] | None = None,
        **unknown: Any,
    ) -> None:
        if unknown:
            raise LadaError(
                f'MosaicVideoDataset: unknown argument {", ".join(map(repr, unknown))}; correct the'
                " dataset's config"
            )
        if num_frame != -1 and num_frame < 1:
            raise LadaError(
                f'MosaicVideoDataset: num_frame is {num_frame}; use -1 (whole clips) or at least 1'
            )
        if seed < 0:
            raise LadaError(f'MosaicVideoDataset: seed {seed} is negative; use a number >= 0')
        self.num_frame = num_frame
        self.seed = int(seed)
        self.repeatable_random = repeatable_random
        store = None if download_cache is None else PartCache(**download_cache)
        self.catalog = ClipCatalog.open(metadata_root_dir, store=store)
        least = max(min_num_frame or num_frame, 1)
        self._name_unreadable()
        self._clips = self._filter(
            {
                'cannot be read': self.catalog.unreadable,
                f'have fewer than {least} frames (min_num_frame, num_frame)': (
                    self.catalog.frames_count < least
                ),
                'show a watermark (filter_watermark)': filter_watermark and self.catalog.watermark,
                'are not flagged (filter_nudenet_nsfw)': (
                    filter_nudenet_nsfw and ~self.catalog.nudenet_nsfw
                ),
                f'are below quality {filter_video_quality} (filter_video_quality)': (
                    filter_video_quality is not False
                    and self.catalog.quality < filter_video_quality
                ),
            }
        )
        if pipeline is None:
            pipeline = default_pipeline(
                degrade=degrade,
                use_hflip=use_hflip,
                random_mosaic_params=random_mosaic_params,
                lq_size=lq_size,
                scale=scale,
                rotation_probability=rotation_probability,
                cache=cache,
            )
        self.pipeline = build_pipeline(pipeline)
        self._busy = BusyClips()

    def __len__(self) -> int:
        return len(self._clips)

    def __getitem__(self, draw: ClipDraw | int) -> dict:
        replaceable = isinstance(draw, tuple)
        index, epoch = draw if isinstance(draw, tuple) else (int(draw), 0)
        if not 0 <= index < len(self):
            raise IndexError(f'clip {index} of {len(self)}')
        draw = ClipDraw(index, 0 if self.repeatable_random else epoch)
        return self._load_or_replace(draw) if replaceable else self.load(draw)

    @property
    def lengths(self) -> np.ndarray:
        """Frames that each sample has."""
        frames = self.catalog.frames_count[self._clips]
        return frames if self.num_frame == -1 else np.minimum(frames, self.num_frame)

    @property
    def sources(self) -> np.ndarray:
        """Hashes of the videos that the clips were cut from, each once."""
        return np.unique(self.clip_sources)

    @property
    def clip_sources(self) -> np.ndarray:
        """A hash of the video that each clip was cut from."""
        return self.catalog.sources[self._clips]

    def clip(self, index: int) -> ClipMetadata:
        """Return the metadata of one clip among those that stayed."""
        return self.catalog[self._clips[index]]

    def stem(self, index: int) -> str:
        """Return the stem of one clip among those that stayed."""
        return self.catalog.stem(self._clips[index])

    def busy_clips(self) -> list[str]:
        """Return the stems of the clips that loader workers are loading at this moment."""
        return [self.stem(index) for index in self._busy.indices()]

    @property
    def metainfo(self) -> dict:
        """What MMEngine hands to evaluators and visualizers."""
        return {'dataset_type': type(self).__name__, 'metadata_root_dir': str(self.catalog.folder)}

    def load(self, draw: ClipDraw) -> dict:
        """Return the sample of ``draw``; whatever keeps it from loading becomes an error that names
        the clip.
        """
        with self._busy.note(draw.index):
            return self._load(draw)

    def _load(self, draw: ClipDraw) -> dict:
        clip = self._clips[draw.index]
        rng = sample_rng(self.seed, draw.index, draw.epoch)
        try:
            results = self.begin(draw, rng)
            for transform in self.pipeline:
                results = transform(results)
        except LadaError as error:
            raise LadaError(f'clip {self.catalog.stem(clip)}: {error}') from error
        return results

    def _load_or_replace(self, draw: ClipDraw) -> dict:
        replaced: list[tuple[str, str]] = []
        last: LadaError | None = None
        for index in chain(
            [draw.index], replacements(self.seed, draw.index, draw.epoch, len(self))
        ):
            try:
                sample = self.load(ClipDraw(index, draw.epoch))
            except LadaError as error:
                replaced.append((self.stem(index), str(error)))
                last = error
                continue
            if replaced:
                sample['data_samples'].set_metainfo(dict(replaced=replaced))
            return sample
        raise LadaError(
            f'{len(replaced)} clips in a row cannot be used; the last one: {last}'
        ) from last

    def begin(self, draw: ClipDraw, rng: np.random.Generator) -> dict:
        """Return what the first transform gets: the clip's metadata, the range of frames, and
        ``rng``.

        Args:
            draw: number of the clip among those that stayed, and epoch.
            rng: the sample's generator.
        """
        meta = self.clip(draw.index)
        start, stop = draw_window(meta.frames_count, self.num_frame, rng)
        return {'meta': meta, 'start': start, 'stop': stop, 'rng': rng}

    def _name_unreadable(self) -> None:
        bad = [self.catalog.stem(int(index)) for index in np.flatnonzero(self.catalog.unreadable)]
        if bad:
            print_log(
                f'{counted(len(bad), "metadata file")} of {len(self.catalog):,} cannot be read;'
                f' left out: {some(bad)} (scripts/dataset_creation/check-dataset.py says why)',
                logger='current',
                level=logging.WARNING,
            )

    def _filter(self, drops: dict[str, np.ndarray | bool]) -> np.ndarray:
        """Return the catalog's indices of the clips that stay; a clip counts for the first reason
        that drops it.
        """
        keep = np.ones(len(self.catalog), bool)
        counts = {}
        for reason, drop in drops.items():
            before = np.count_nonzero(keep)
            keep &= np.logical_not(drop)
            counts[reason] = before - np.count_nonzero(keep)
        if not keep.any():
            reasons = ', '.join(f'{count} {reason}' for reason, count in counts.items() if count)
            raise LadaError(
                f'no clip is left of {len(keep)}: {self.catalog.folder}; {reasons}: relax these'
                ' settings or add clips'
            )
        return np.flatnonzero(keep)


def draw_window(frames: int, num_frame: int, rng: np.random.Generator) -> tuple[int, int]:
    """Return first frame of a sample and the one after its last.

    Args:
        frames: of the clip.
        num_frame: of the sample; -1 for all, as of clips that have fewer.
        rng: the sample's generator.
    """
    if num_frame == -1 or frames <= num_frame:
        return 0, frames
    start = int(rng.integers(frames - num_frame + 1))
    return start, start + num_frame


def default_pipeline(
    *,
    degrade: bool,
    use_hflip: bool,
    random_mosaic_params: bool,
    lq_size: int,
    scale: int,
    rotation_probability: float,
    cache: dict | None = None,
) -> list[dict]:
    """Return the configs of the transforms that a dataset has unless it names others.

    Args:
        degrade, use_hflip, random_mosaic_params, lq_size, scale, rotation_probability, cache: see
            :class:`MosaicVideoDataset`.
    """
    stored = not random_mosaic_params
    steps = [
        dict(type='LoadClip', rendered_mosaic=stored, cache=cache, size=lq_size, scale=scale),
        dict(type='DrawMosaic', stored_look=stored),
    ]
    if degrade:
        steps.append(dict(type='DegradeClip'))
    if use_hflip:
        steps.append(dict(type='FlipClip'))
    if rotation_probability:
        steps.append(dict(type='RotateClip', prob=rotation_probability))
    return [*steps, dict(type='PackClip')]


def build_pipeline(steps: Sequence[dict]) -> list:
    """Build transforms from their configs. Raises :class:`LadaError`."""
    return [_build(step) for step in steps]


def _build(step: dict):
    try:
        return TRANSFORMS.build(step)
    except (TypeError, KeyError, ValueError) as error:
        raise LadaError(f'dataset pipeline: cannot build {step!r}: {one_line(error)}') from error
