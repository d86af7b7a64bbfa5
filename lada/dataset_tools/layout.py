"""Where the files of a dataset stand, and how its names are printed."""

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


def printable(name: object) -> str:
    """Return a name on one line: control characters and undecodable bytes as escapes, everything
    else as it is.
    """
    return ''.join(c if c.isprintable() else c.encode('unicode_escape').decode() for c in str(name))


def counted(number: int, noun: str) -> str:
    """Return for example ``1 clip`` or ``12,000 clips``."""
    return f'{number:,} {noun}' if number == 1 else f'{number:,} {noun}s'


def human_bytes(size: int) -> str:
    """Return a size with a unit that suits it (1 kB = 1000 bytes)."""
    value, units = float(size), ['bytes', 'kB', 'MB', 'GB', 'TB']
    while value >= 1000 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f'{size} bytes' if units[0] == 'bytes' else f'{value:.1f} {units[0]}'


def human_seconds(seconds: float) -> str:
    """Return a time with a unit that suits it, at least ``1 s``."""
    for unit, length in (('h', 3600), ('min', 60)):
        if seconds >= 2 * length:
            return f'{seconds / length:.0f} {unit}'
    return f'{max(1, round(seconds))} s'
