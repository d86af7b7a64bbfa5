"""A picture of what the network will see."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from lada.data import ClipDraw, MosaicVideoDataset
from lada.errors import LadaError
from lada.evaluation.pictures import save_picture
from lada.lettering import write_text

GAP, LABEL_HEIGHT, LETTERS = 4, 18, 12


def contact_sheet(dataset: MosaicVideoDataset, count: int, epoch: int = 0) -> np.ndarray:
    """Return the middle frames of some samples, one row a clip: input, truth, mask.

    (H, W, 3) uint8 RGB; each row is labelled with the clip's stem and frame number.

    Args:
        dataset: as training uses it.
        count: how many clips, spread over the dataset.
        epoch: each has other mosaics.
    """
    if count < 1:
        raise LadaError(f'not a number of clips: {count}; use at least 1')
    indices = np.unique(np.linspace(0, len(dataset) - 1, count).astype(int))
    rows = [row for index in indices for row in _rows(dataset.load(ClipDraw(int(index), epoch)))]
    return np.concatenate(rows)


def write_contact_sheet(
    path: Path, dataset: MosaicVideoDataset, count: int, epoch: int = 0
) -> None:
    """Write :func:`contact_sheet` as a PNG file.

    Args:
        path: file to write.
        dataset, count, epoch: see :func:`contact_sheet`.
    """
    save_picture(path, contact_sheet(dataset, count, epoch))


def _rows(sample: dict) -> Iterator[np.ndarray]:
    data = sample['data_samples']
    middle = len(sample['inputs']) // 2
    truth = data.gt_img[middle].permute(1, 2, 0).numpy()
    seen = sample['inputs'][middle].permute(1, 2, 0).numpy()
    if seen.shape != truth.shape:
        seen = cv2.resize(seen, truth.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    mask = cv2.cvtColor(data.mosaic_mask[middle].numpy(), cv2.COLOR_GRAY2RGB)
    gap = np.full((len(truth), GAP, 3), 255, np.uint8)
    pictures = np.concatenate([seen, gap, truth, gap, mask], axis=1)
    label = np.full((LABEL_HEIGHT, pictures.shape[1], 3), 255, np.uint8)
    write_text(label, f'{data.key}, frame {data.clip_start + middle}', 4, LABEL_HEIGHT - 5, LETTERS)
    yield label
    yield pictures
