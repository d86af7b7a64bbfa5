"""Where the files of a dataset stand."""

from pathlib import Path

IMAGE_FOLDER = 'crop_unscaled_img'
MASK_FOLDER = 'crop_unscaled_mask'
META_FOLDER = 'crop_unscaled_meta'
SPLIT_FOLDER = '.lada-split'


def video_path(root: Path, stem: str) -> Path:
    return root / IMAGE_FOLDER / f'{stem}.mp4'


def mask_path(root: Path, stem: str) -> Path:
    return root / MASK_FOLDER / f'{stem}.mkv'


def metadata_path(root: Path, stem: str) -> Path:
    return root / META_FOLDER / f'{stem}.json'


def clip_stem(source_name: str, number: int) -> str:
    """Return the name that a clip's three files share."""
    return f'{source_name}-{number:06d}'
