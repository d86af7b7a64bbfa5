"""The metadata file of one clip: versions 1 and 2 as public Lada wrote them, version 3 as this
toolkit does.

Metadata is untrusted input: whatever a file holds, reading it gives a :class:`ClipMetadata` or a
:class:`MetadataError`.
"""

import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from typing import Any, NoReturn

import numpy as np

from lada.errors import LadaError
from lada.file_part import FilePart
from lada.files import write_atomically
from lada.mosaic import MosaicLook
from lada.mosaic.block_size import BLOCK_SIZE_KEYS

QUALITY_KEYS = ('aesthetic', 'technical', 'overall')
MAX_SIDE = 1 << 16
PATHS_OF_VERSION_2 = {
    'video_path': 'relative_nsfw_video_path',
    'mask_path': 'relative_mask_video_path',
    'mosaic_video_path': 'relative_mosaic_nsfw_video_path',
    'mosaic_mask_path': 'relative_mosaic_mask_video_path',
}
NULLABLE = (
    'mosaic',
    'video_quality',
    'watermark_detected',
    'nudenet_nsfw_detected',
    'nudenet_nsfw_detected_classes',
    'censoring_detected',
)


class MetadataError(LadaError):
    """A clip's metadata file cannot be used."""


@dataclass(frozen=True)
class ClipMetadata:
    """One clip of a dataset.

    Attributes:
        stem: name of the clip's files without suffix.
        name: source file name; clips of one source share it.
        source: None or ``file``, ``sha256`` of the content and ``start_frame`` of the clip in it.
        fps: frames a second.
        frames_count: number of frames.
        orig_shape: (h, w) of the source's frames.
        scene_shape: (h, w) of the crop without padding.
        base_mosaic_block_size: pixels of the crop; any of
            :data:`~lada.mosaic.block_size.BLOCK_SIZE_KEYS`.
        pad: one (top, bottom, left, right) a frame, pixels of black border inside the stored
            frames.
        video_path, mask_path, mosaic_video_path, mosaic_mask_path: absolute, or parts of a tar file
            where the dataset is packed; the mosaic ones may be None.
        mosaic: the look the stored mosaic has or should have, or None.
        video_quality: None or any of :data:`QUALITY_KEYS`.
        watermark_detected, nudenet_nsfw_detected, censoring_detected: flag, None where nobody
            looked.
        nudenet_nsfw_detected_classes: labels, or a table of labels and whether each was found; kept
            as they are.
    """

    stem: str
    name: str
    fps: float
    frames_count: int
    orig_shape: tuple[int, int]
    scene_shape: tuple[int, int]
    base_mosaic_block_size: dict[str, float]
    pad: list[list[int]] = field(repr=False)
    video_path: Path | FilePart
    mask_path: Path | FilePart
    source: dict[str, Any] | None = None
    mosaic_video_path: Path | FilePart | None = None
    mosaic_mask_path: Path | FilePart | None = None
    mosaic: MosaicLook | None = None
    video_quality: dict[str, float] | None = None
    watermark_detected: bool | None = None
    nudenet_nsfw_detected: bool | None = None
    nudenet_nsfw_detected_classes: list[str] | dict[str, bool] | None = None
    censoring_detected: bool | None = None

    @classmethod
    def from_file(
        cls, path: str | os.PathLike, root: str | os.PathLike | None = None
    ) -> 'ClipMetadata':
        """Read a metadata file of any version. Raises :class:`MetadataError`.

        Args:
            path: the JSON file.
            root: folder that no path may leave, by default the parent of the metadata folder.
                Folders count as where they really are; a clip's file itself may be a link, as
                ``split --mode symlink`` makes them.
        """
        reader = _Reader(Path(os.path.abspath(path)), root)
        return reader.parse(reader.content())

    @classmethod
    def from_bytes(cls, content: bytes, path: Path, root: Path) -> 'ClipMetadata':
        """Read the content of a metadata file as if it lay at ``path``. Raises
        :class:`MetadataError`.

        Args:
            content: of the file.
            path: absolute; need not exist.
            root: folder that no path may leave.
        """
        return _Reader(path, root).parse(content)

    def to_file(self, path: str | os.PathLike, version: int = 3) -> None:
        """Write the file, whole or not at all.

        Args:
            path: its folder is what the paths in it are relative to.
            version: 3, or 2, which public Lada reads; it has no place for ``source``.
        """
        path = Path(os.path.abspath(path))
        data = self._to_json(path.parent)
        text = json.dumps(_to_version_2(data) if version == 2 else data, allow_nan=False)
        write_atomically(path, text.encode())

    @property
    def block_size(self) -> float:
        """The base block size in pixels of the crop: ``mosaic_size_v1_normal``, as public Lada
        uses, if it is known.
        """
        known = (self.base_mosaic_block_size.get(key) for key in BLOCK_SIZE_KEYS)
        return next(size for size in known if size is not None)

    def _to_json(self, folder: Path) -> dict[str, Any]:
        def relative(target: Path | FilePart) -> str:
            if isinstance(target, FilePart):
                raise LadaError(f'a packed clip has no file of its own: {target}; unpack it first')
            return Path(os.path.relpath(target, folder)).as_posix()

        data: dict[str, Any] = {
            'version': 3,
            'name': self.name,
            'source': self.source,
            'fps': self.fps,
            'frames_count': self.frames_count,
            'orig_shape': list(self.orig_shape),
            'scene_shape': list(self.scene_shape),
            'base_mosaic_block_size': {
                key: float(size) for key, size in self.base_mosaic_block_size.items()
            },
            'pad': [[int(side) for side in pad] for pad in self.pad],
            'video_path': relative(self.video_path),
            'mask_path': relative(self.mask_path),
        }
        optional: dict[str, Any] = {
            'mosaic_video_path': self.mosaic_video_path and relative(self.mosaic_video_path),
            'mosaic_mask_path': self.mosaic_mask_path and relative(self.mosaic_mask_path),
            'mosaic': (
                self.mosaic
                and {
                    'mod': self.mosaic.mod,
                    'rect_ratio': self.mosaic.rect_ratio,
                    'mosaic_size': self.mosaic.block_size,
                    'feather_size': self.mosaic.feather_size,
                }
            ),
            'video_quality': self.video_quality,
            'watermark_detected': self.watermark_detected,
            'nudenet_nsfw_detected': self.nudenet_nsfw_detected,
            'nudenet_nsfw_detected_classes': self.nudenet_nsfw_detected_classes,
            'censoring_detected': self.censoring_detected,
        }
        return data | {key: value for key, value in optional.items() if value is not None}


def _to_version_2(data: dict[str, Any]) -> dict[str, Any]:
    """Return what version 2 says of the same clip: other names of paths, and null for what is
    unknown, which public Lada's reader does not miss out.
    """
    data = {key: value for key, value in data.items() if key != 'source'}
    paths = {name: data.pop(key, None) for key, name in PATHS_OF_VERSION_2.items()}
    sizes = {key: data['base_mosaic_block_size'].get(key) for key in BLOCK_SIZE_KEYS}
    unknown = dict.fromkeys(NULLABLE)
    return {**unknown, **data, **paths, 'version': 2, 'base_mosaic_block_size': sizes}


class _Reader:
    """Checks and converts one file's content; every complaint names the file."""

    def __init__(self, path: Path, root: str | os.PathLike | None) -> None:
        self.path = path
        self.root = Path(os.path.abspath(root)) if root is not None else path.parent.parent
        self.real_root = os.path.realpath(self.root)

    def content(self) -> bytes:
        try:
            return self.path.read_bytes()
        except OSError as error:
            self.fail(
                f'cannot be read ({error.strerror})', 'check that the file exists and may be read'
            )

    def parse(self, content: bytes) -> ClipMetadata:
        try:
            data = json.loads(content, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            self.fail(
                f'is no valid JSON ({error})',
                'the file is damaged or cut short: create the clip again or delete its files',
            )
        if not isinstance(data, dict):
            self.fail('does not hold a JSON object')
        version = data.get('version', 1)
        if isinstance(version, bool) or version not in (1, 2, 3):
            self.fail(f'has version {version!r:.20}', 'this release reads versions 1, 2 and 3')
        frames_key = (
            'frame_count'
            if 'frames_count' not in data and 'frame_count' in data
            else 'frames_count'
        )
        frames = self.integer(data, frames_key, 1, 1 << 31)
        return ClipMetadata(
            stem=self.path.stem,
            name=self.text(data, 'name'),
            fps=self.number(data, 'fps', above=0),
            frames_count=frames,
            base_mosaic_block_size=self.block_sizes(data),
            pad=self.pads(data, frames),
            source=self.source(data),
            mosaic=self.look(data),
            video_quality=self.quality(data),
            watermark_detected=self.flag(data, 'watermark_detected'),
            nudenet_nsfw_detected=self.flag(data, 'nudenet_nsfw_detected'),
            nudenet_nsfw_detected_classes=self.classes(data),
            censoring_detected=self.flag(data, 'censoring_detected'),
            **self.shapes(data, version),
            **self.paths(data, version),
        )

    def fail(
        self, what: str, remedy: str = 'correct the file, create the clip again or delete its files'
    ) -> NoReturn:
        raise MetadataError(f'metadata {what}: {self.path}; {remedy}')

    def get(self, data: dict, key: str) -> Any:
        if data.get(key) is None:
            self.fail(f'lacks {key!r}')
        return data[key]

    def text(self, data: dict, key: str) -> str:
        value = self.get(data, key)
        if not isinstance(value, str):
            self.fail(f'has a {key!r} that is no text')
        return value

    def number(self, data: dict, key: str, above: float = -math.inf) -> float:
        value = self.get(data, key)
        try:
            if (
                isinstance(value, bool)
                or not isinstance(value, int | float)
                or not math.isfinite(value)
            ):
                raise ValueError
            result = float(value)
        except (ValueError, OverflowError):
            self.fail(f'has a {key!r} that is no finite number')
        if result <= above:
            self.fail(f'has {key!r} = {result:g}, which must be greater than {above:g}')
        return result

    def integer(self, data: dict, key: str, low: int, high: int) -> int:
        value = self.get(data, key)
        if not _is_integer(value) or not low <= value <= high:
            self.fail(f'has a {key!r} that is no whole number from {low} to {high}')
        return int(value)

    def flag(self, data: dict, key: str) -> bool | None:
        value = data.get(key)
        if value is not None and not isinstance(value, bool):
            self.fail(f'has a {key!r} that is neither true, false nor null')
        return value

    def section(self, data: dict, key: str) -> dict | None:
        value = data.get(key)
        if value is not None and not isinstance(value, dict):
            self.fail(f'has a {key!r} that is no JSON object')
        return value

    def shapes(self, data: dict, version: int) -> dict[str, Any]:
        if version == 1:
            return {
                'orig_shape': (
                    self.integer(data, 'orig_height', 1, MAX_SIDE),
                    self.integer(data, 'orig_width', 1, MAX_SIDE),
                ),
                'scene_shape': (
                    self.integer(data, 'height', 1, MAX_SIDE),
                    self.integer(data, 'width', 1, MAX_SIDE),
                ),
            }
        return {key: self.shape(data, key) for key in ('orig_shape', 'scene_shape')}

    def shape(self, data: dict, key: str) -> tuple[int, int]:
        value = self.get(data, key)
        if not isinstance(value, list) or len(value) < 2:
            self.fail(f'has a {key!r} that is no list [height, width]')
        sides = dict(zip(('height', 'width'), value[:2], strict=True))
        return self.integer(sides, 'height', 1, MAX_SIDE), self.integer(sides, 'width', 1, MAX_SIDE)

    def block_sizes(self, data: dict) -> dict[str, float]:
        sizes = self.section(data, 'base_mosaic_block_size') or {}
        known = {
            key: self.number(sizes, key, above=0)
            for key in BLOCK_SIZE_KEYS
            if sizes.get(key) is not None
        }
        if not known:
            self.fail("lacks 'base_mosaic_block_size'")
        return known

    def pads(self, data: dict, frames: int) -> list[list[int]]:
        pads = self.get(data, 'pad')
        if not isinstance(pads, list) or len(pads) != frames:
            self.fail(f"has a 'pad' that is no list with one entry for each of its {frames} frames")
        try:
            array = np.array(pads)
        except ValueError:  # entries of different lengths
            array = np.empty(0)
        if (
            array.shape != (frames, 4)
            or array.dtype.kind not in 'iuf'
            or array.min() < 0
            or array.max() > MAX_SIDE
            or (array.dtype.kind == 'f' and (array % 1).any())
        ):
            self.fail(
                "has a 'pad' whose entries are not all [top, bottom, left, right] in whole pixels"
            )
        return pads if array.dtype.kind != 'f' else array.astype(int).tolist()

    def source(self, data: dict) -> dict[str, Any] | None:
        source = self.section(data, 'source')
        if source is None:
            return None
        return {
            'file': self.text(source, 'file'),
            'sha256': self.text(source, 'sha256'),
            'start_frame': self.integer(source, 'start_frame', 0, 1 << 53),
        }

    def look(self, data: dict) -> MosaicLook | None:
        look = self.section(data, 'mosaic')
        if look is None:
            return None
        size = int(self.number(look, 'mosaic_size', above=0))
        feather = int(self.number(look, 'feather_size'))
        ratio = (
            self.number(look, 'rect_ratio', above=0) if look.get('rect_ratio') is not None else 1.0
        )
        if size > MAX_SIDE or abs(feather) > MAX_SIDE or ratio > MAX_SIDE:
            self.fail(f"has a 'mosaic' with a size above {MAX_SIDE}")
        try:
            return MosaicLook(self.text(look, 'mod'), size, ratio, feather)
        except (LadaError, ValueError) as error:
            self.fail(f"has a 'mosaic' that cannot be drawn ({error})")

    def quality(self, data: dict) -> dict[str, float] | None:
        quality = self.section(data, 'video_quality')
        if quality is None:
            return None
        return {
            key: self.number(quality, key) for key in QUALITY_KEYS if quality.get(key) is not None
        }

    def classes(self, data: dict) -> list[str] | dict[str, bool] | None:
        classes = data.get('nudenet_nsfw_detected_classes')
        names = isinstance(classes, list) and all(isinstance(label, str) for label in classes)
        table = isinstance(classes, dict) and all(
            found is None or isinstance(found, bool) for found in classes.values()
        )
        if classes is not None and not names and not table:
            self.fail(
                "has 'nudenet_nsfw_detected_classes' that are neither a list of names nor a table"
                ' of names and true or false'
            )
        return classes

    def paths(self, data: dict, version: int) -> dict[str, Any]:
        if version == 1:
            return {
                key: self.beside(kind, suffix)
                for key, kind, suffix in (
                    ('video_path', 'img', '.mp4'),
                    ('mask_path', 'mask', '.mkv'),
                )
            }
        keys = PATHS_OF_VERSION_2
        names = keys if version == 2 else {key: key for key in keys}
        required = ('video_path', 'mask_path')
        return {
            key: (
                self.inside(self.text(data, name))
                if key in required or data.get(name) is not None
                else None
            )
            for key, name in names.items()
        }

    def beside(self, kind: str, suffix: str) -> Path:
        folder = self.path.parent.name
        if not folder.endswith('_meta'):
            self.fail(
                'of version 1 lies in a folder whose name does not end in _meta, so that its video'
                ' cannot be found',
                'rename the folder',
            )
        return self.inside(f'../{folder.removesuffix("meta")}{kind}/{self.path.stem}{suffix}')

    def inside(self, text: str) -> Path:
        """Return the absolute path that ``text`` means, refusing one outside the dataset."""
        text = text.replace('\\', '/')
        try:
            if '\0' in text or not text:
                raise ValueError
            os.fsencode(text)
        except ValueError:
            self.fail(f'names a file in characters no file has ({text!r:.40})')
        target = Path(os.path.normpath(os.path.join(self.path.parent, text)))
        folder = os.path.realpath(target.parent)
        if (
            PureWindowsPath(text).drive
            or not target.is_relative_to(self.root)
            or target == self.root
            or not Path(folder).is_relative_to(self.real_root)
        ):
            self.fail(
                f'names a file outside the dataset ({text!r:.60})',
                f'clips must lie under {self.root}; delete this file if you did not expect that',
            )
        return target


def _is_integer(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, float) and value.is_integer())


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f'{name} is no number')
