"""Where the files of a dataset stand, for every part of the toolkit (and quickly imported)."""

import re
from pathlib import Path

IMAGE_FOLDER = 'crop_unscaled_img'
MASK_FOLDER = 'crop_unscaled_mask'
META_FOLDER = 'crop_unscaled_meta'
SPLIT_FOLDER = '.lada-split'
"""Journal and unfinished files of a split that is under way."""


def video_path(root: Path, stem: str) -> Path:
    """Return where a clip's frames are."""
    return root / IMAGE_FOLDER / f'{stem}.mp4'


def mask_path(root: Path, stem: str) -> Path:
    """Return where a clip's mask is."""
    return root / MASK_FOLDER / f'{stem}.mkv'


def metadata_path(root: Path, stem: str) -> Path:
    """Return where a clip's metadata is."""
    return root / META_FOLDER / f'{stem}.json'


def clip_stem(source_name: str, number: int) -> str:
    """Return the name that a clip's three files share."""
    return f'{source_name}-{number:06d}'


def source_name(stem: str) -> str:
    """Return the source's name in a clip's, for want of metadata that says it; public Lada's stems
    end in a dash.
    """
    return re.sub(r'-\d{6}-?$', '', stem)


def shipped_folder(name: str) -> Path:
    """Return a folder that ships with Lada: in an installed package, beside it in a clone."""
    package = Path(__file__).parent
    inside = package / name
    return inside if inside.is_dir() else package.parent / name
