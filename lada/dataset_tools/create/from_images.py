"""Videos from photographs: a camera glides over one picture while pieces of others pass before it.

For whoever is short of video. What moves is known exactly, textures are a camera's, and motion,
parallax and occlusion are smooth as in filmed shots.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from lada.dataset_tools.create.sources import files_below
from lada.dataset_tools.workers import Watch, worker_pool
from lada.errors import LadaError
from lada.randomness import keyed_rng
from lada.text import printable
from lada.video import clip_encoding, write_video

IMAGE_SUFFIXES = {'.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp'}
RENDERED_FOLDER = 'filmed'
"""Folder of the videos in a dataset's."""
FPS = 25
LARGEST = (360, 640)
"""Height and width of a video; smaller where the photograph has no more detail."""
SMALLEST_SIDE = 160
OCCLUDERS = 3
"""Most pieces of other pictures in a video."""


def find_images(inputs: Sequence[Path]) -> list[Path]:
    """Return the pictures among ``inputs``, files, and folders that are searched, sorted. Raises
    LadaError.
    """
    found = []
    for path in inputs:
        if not path.exists():
            raise LadaError(f'no such file or folder: {printable(path)}; check --from-images')
        if path.is_dir():
            found += files_below(path, IMAGE_SUFFIXES)
        elif path.suffix.lower() in IMAGE_SUFFIXES:
            found.append(path)
    if not found:
        raise LadaError(
            f'no pictures: {printable(inputs[0])}; --from-images takes'
            f' {", ".join(sorted(IMAGE_SUFFIXES))}'
        )
    return found


def render_videos(
    images: Sequence[Path],
    folder: Path,
    frames: int,
    seed: int,
    workers: int = 1,
    say: Callable[[str], None] = print,
) -> list[Path]:
    """Write a video of each picture into ``folder`` and return their paths; what exists is kept.

    Args:
        images: pictures; a video shows pieces of the next ones, too. One that cannot be read or is
            too small is named and left out.
        folder: of the videos, named like the pictures.
        frames: length of a video.
        seed: the camera's way is a function of this and of the picture's name.
        workers: videos made at the same time.
        say: is told what is left out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    targets = _names(images, folder)
    missing = [number for number, target in enumerate(targets) if not target.exists()]
    jobs = [
        (
            render_video,
            [images[(number + k) % len(images)] for k in range(OCCLUDERS + 1)],
            targets[number],
            frames,
            seed,
        )
        for number in missing
    ]
    with worker_pool(workers) as run:
        for number, made in zip(missing, run(jobs, 'filming', [frames] * len(jobs)), strict=True):
            if not made:
                say(
                    f'{printable(images[number])}: left out, no picture of {SMALLEST_SIDE} pixels'
                    ' or more'
                )
    return [target for target in targets if target.exists()]


def render_video(images: list[Path], target: Path, frames: int, seed: int, watch: Watch) -> bool:
    """Write the video of the first of ``images`` (runs in a worker); False if it is of no use."""
    picture, *others = (_read(path) for path in images)
    if picture is None:
        return False
    rng = keyed_rng('from-images', seed, images[0].name)
    scene = Scene.draw(rng, picture, [other for other in others if other is not None], frames)

    def watched() -> Iterator[np.ndarray]:
        for frame in scene.frames():
            yield frame
            watch.frames_done(1)

    write_video(target, watched(), FPS, **clip_encoding())
    return True


def _names(images: Sequence[Path], folder: Path) -> list[Path]:
    """A file name for each picture: its own, with its folder's where two are alike."""
    alike = Counter(path.name for path in images)
    return [
        folder / f'{path.name if alike[path.name] == 1 else "_".join(path.parts[-2:])}.mp4'
        for path in images
    ]


def _read(path: Path) -> np.ndarray | None:
    """A picture as uint8 (H, W, 3) RGB; None for what is none, or is too small."""
    picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    if picture is None or min(picture.shape[:2]) < SMALLEST_SIDE:
        return None
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


@dataclass
class Path2D:
    """A smooth way: a drift and slow swings. ``at`` gives values around 0, mostly within ±1."""

    drift: float
    swings: np.ndarray
    """(K, 3): amplitude, frames of a period, phase."""

    @classmethod
    def draw(cls, rng: np.random.Generator, slowness: float) -> 'Path2D':
        swings = np.stack(
            [
                rng.uniform(0.1, 0.6, 3),
                slowness * rng.uniform(0.5, 2.0, 3),
                rng.uniform(0, 2 * np.pi, 3),
            ],
            axis=1,
        )
        return cls(rng.uniform(-1, 1) / slowness, swings)

    def at(self, t: float, middle: float) -> float:
        amplitude, period, phase = self.swings.T
        swing = (amplitude * np.sin(2 * np.pi * t / period + phase)).sum()
        return float(self.drift * (t - middle) + swing)


@dataclass
class Layer:
    """A picture that moves: ``pixels`` (h, w, 3) uint8, shown where ``alpha`` (h, w) uint8 is."""

    pixels: np.ndarray
    alpha: np.ndarray | None
    ways: list[Path2D]
    """Of x and y in pixels of the video, of the angle in degrees and of the logarithm of scale."""
    reach: tuple[float, float, float, float]
    centre: tuple[float, float]

    def place(self, t: float, middle: float) -> np.ndarray:
        """The affine matrix (2, 3) from the layer to the video at frame ``t``."""
        x, y, angle, scale = (
            reach * way.at(t, middle) for way, reach in zip(self.ways, self.reach, strict=True)
        )
        height, width = self.pixels.shape[:2]
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, float(np.exp(scale)))
        matrix[:, 2] += (self.centre[0] + x - width / 2, self.centre[1] + y - height / 2)
        return matrix


@dataclass
class Scene:
    """A background and what passes before it."""

    size: tuple[int, int]
    layers: list[Layer]
    length: int
    shutter: float
    """Share of a frame's time during which it is exposed."""

    @classmethod
    def draw(
        cls,
        rng: np.random.Generator,
        picture: np.ndarray,
        others: Sequence[np.ndarray],
        length: int,
    ) -> 'Scene':
        """Return a scene; everything is a function of ``rng``."""
        detail = rng.uniform(1.15, 2.5)
        shrink = min(1.0, *(detail * a / b for a, b in zip(LARGEST, picture.shape, strict=False)))
        ground = cv2.resize(picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        height, width = (
            min(side, int(have / 1.15)) // 2 * 2
            for side, have in zip(LARGEST, ground.shape, strict=False)
        )
        size = height, width
        room = [max((have - side) / 2, 8.0) for have, side in zip(ground.shape, size, strict=False)]
        slowness = rng.uniform(60, 200)
        layers = [
            Layer(
                ground,
                None,
                [Path2D.draw(rng, slowness) for _ in range(4)],
                (0.7 * room[1], 0.7 * room[0], rng.uniform(0, 6), rng.uniform(0, 0.15)),
                (size[1] / 2, size[0] / 2),
            )
        ]
        for other in others[: int(rng.integers(0, len(others) + 1))]:
            layers.append(_occluder(rng, other, size))
        return cls(size, layers, length, rng.uniform(0, 0.6))

    def frames(self) -> Iterator[np.ndarray]:
        """Yield uint8 (H, W, 3) RGB frames."""
        for t in range(self.length):
            exposures = [self._at(t + self.shutter * share) for share in (0.0, 0.5, 1.0)]
            yield np.rint(np.mean(exposures, axis=0)).astype(np.uint8)

    def _at(self, t: float) -> np.ndarray:
        frame = np.zeros((*self.size, 3), np.float32)
        for layer in self.layers:
            matrix = layer.place(t, self.length / 2)
            pixels = _warp(layer.pixels, matrix, self.size, cv2.BORDER_REFLECT_101)
            if layer.alpha is None:
                frame = pixels.astype(np.float32)
                continue
            alpha = _warp(layer.alpha, matrix, self.size, cv2.BORDER_CONSTANT)
            frame += (alpha / np.float32(255))[..., None] * (pixels - frame)
        return frame


def _occluder(rng: np.random.Generator, picture: np.ndarray, size: tuple[int, int]) -> Layer:
    """A soft-edged blob cut from a picture, that crosses the video."""
    side = int(rng.uniform(0.25, 0.7) * size[0])
    shrink = min(1.0, side * rng.uniform(1.0, 2.5) / min(picture.shape[:2]))
    small = cv2.resize(picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    side = min(side, *small.shape[:2])
    top, left = (int(rng.integers(0, have - side + 1)) for have in small.shape[:2])
    pixels = small[top : top + side, left : left + side]
    noise = cv2.resize(
        rng.standard_normal((6, 6)).astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC
    )
    axis = np.linspace(-1, 1, side, dtype=np.float32)
    bowl = 1 - 1.6 * (axis[:, None] ** 2 + axis**2) + 0.35 * noise
    alpha = np.clip(127 + 127 * bowl * side / 24, 0, 255).astype(np.uint8)
    alpha[[0, -1]] = 0
    alpha[:, [0, -1]] = 0
    return Layer(
        pixels,
        alpha,
        [Path2D.draw(rng, rng.uniform(40, 120)) for _ in range(4)],
        (0.6 * size[1], 0.6 * size[0], rng.uniform(0, 25), rng.uniform(0, 0.25)),
        (rng.uniform(0, size[1]), rng.uniform(0, size[0])),
    )


def _warp(image: np.ndarray, matrix: np.ndarray, size: tuple[int, int], border: int) -> np.ndarray:
    return cv2.warpAffine(image, matrix, size[::-1], flags=cv2.INTER_CUBIC, borderMode=border)
