"""Pictures that show a restoration: rows of mosaic | restored | ground truth."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

from lada.evaluation.frames import to_frames
from lada.evaluation.spacing import evenly_spaced
from lada.files import write_atomically
from lada.lettering import write_text

COLUMNS = ('mosaic', 'restored', 'ground truth')
_GAP, _HEADER, _LETTERS = 4, 22, 13


def make_strip(
    mosaic: torch.Tensor | np.ndarray,
    restored: torch.Tensor | np.ndarray,
    truth: torch.Tensor | np.ndarray,
    frame_indices: Sequence[int] | None = None,
) -> np.ndarray:
    """Return one uint8 RGB picture: a row for each frame, labelled columns mosaic | restored |
    ground truth.

    Args:
        mosaic: clip in [0, 255], a tensor (T, 3, H, W) or an array (T, H, W, 3); one that is
            smaller than the truth is enlarged without smoothing.
        restored: clip as ``mosaic``.
        truth: clip as ``mosaic``.
        frame_indices: which frames; by default three, evenly spaced.
    """
    columns = [to_frames(clip) for clip in (mosaic, restored, truth)]
    if frame_indices is None:
        frame_indices = evenly_spaced(len(columns[2]), 3)
    return grid([[clip[index] for clip in columns] for index in frame_indices], COLUMNS)


def side_by_side(
    mosaic: torch.Tensor | np.ndarray,
    restored: torch.Tensor | np.ndarray,
    truth: torch.Tensor | np.ndarray,
) -> np.ndarray:
    """Return a short video, uint8 (T, h, w, 3), of the three clips :func:`make_strip` takes; h and
    w are even.
    """
    rows = [
        grid([images], COLUMNS)
        for images in zip(*map(to_frames, (mosaic, restored, truth)), strict=True)
    ]
    return np.stack(rows)[:, : len(rows[0]) // 2 * 2, : rows[0].shape[1] // 2 * 2]


def shrink(frames: np.ndarray, side: int) -> np.ndarray:
    """Return frames (T, H, W, 3) whose longer side is at most ``side`` pixels."""
    height, width = frames.shape[1:3]
    scale = side / max(height, width)
    if scale >= 1:
        return frames
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames])


def save_strip(path: str | Path, sample, frames: Sequence[int] | None = None) -> None:
    """Write the strip of a predicted sample as PNG.

    Args:
        path: of the file, whose folder is created.
        sample: with the fields ``input``, ``pred_img`` and ``gt_img``.
        frames: indices; by default three, evenly spaced.
    """
    save_picture(path, make_strip(sample.input, sample.pred_img, sample.gt_img, frames))


def grid(rows: Sequence[Sequence[np.ndarray]], labels: Sequence[str]) -> np.ndarray:
    """Return pictures (H, W, 3) in rows, on white, all enlarged to the height and width of the
    row's largest.
    """
    lines = []
    for row in rows:
        height, width = (max(image.shape[axis] for image in row) for axis in (0, 1))
        cells = [
            (
                image
                if image.shape[:2] == (height, width)
                else cv2.resize(image, (width, height), interpolation=cv2.INTER_NEAREST)
            )
            for image in row
        ]
        lines.append(
            np.hstack(
                [
                    cv2.copyMakeBorder(
                        cell, 0, _GAP, 0, _GAP, cv2.BORDER_CONSTANT, value=(255,) * 3
                    )
                    for cell in cells
                ]
            )
        )
    width = max(line.shape[1] for line in lines)
    lines = [
        cv2.copyMakeBorder(
            line, 0, 0, 0, width - line.shape[1], cv2.BORDER_CONSTANT, value=(255,) * 3
        )
        for line in lines
    ]
    header = np.full((_HEADER, width, 3), 255, np.uint8)
    for number, label in enumerate(labels):
        x = number * width // len(labels) + 4
        write_text(header, label, x, _HEADER - 7, _LETTERS, width // len(labels) - 8)
    return np.vstack([header, *lines])


def with_title(image: np.ndarray, title: str) -> np.ndarray:
    """Return a picture (H, W, 3) with a line of text above it."""
    line = np.full((_HEADER, image.shape[1], 3), 255, np.uint8)
    write_text(line, title, 4, _HEADER - 7, _LETTERS, image.shape[1] - 8)
    return np.vstack([line, image])


def save_picture(path: str | Path, image: np.ndarray) -> None:
    """Write an RGB picture as PNG, whole or not at all."""
    write_atomically(Path(path), encode_picture(image, '.png'))


def encode_picture(image: np.ndarray, suffix: str, *parameters: int) -> bytes:
    """Return an RGB picture as the content of a file.

    Args:
        image: uint8 (H, W, 3).
        suffix: names the format, ``.png`` or ``.jpg``.
        *parameters: OpenCV's, of the encoder.
    """
    return cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), list(parameters))[
        1
    ].tobytes()
