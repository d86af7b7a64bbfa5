"""Datasets of tiny files that look like clips to everything that does not decode them."""

import hashlib
import json
import os
from pathlib import Path

FOLDERS = 'crop_unscaled_img', 'crop_unscaled_mask', 'crop_unscaled_meta'


def write_clip(
    root: Path,
    source: str,
    number: int,
    *,
    version: int = 3,
    side: int = 96,
    block: float = 8,
    sha256: str | None = None,
    mosaic: bool = False,
    stem: str | None = None,
) -> str:
    """Write the files of a clip whose video holds only text; returns its stem."""
    stem = stem or f'{source}-{number:06d}'
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / FOLDERS[0] / f'{stem}.mp4').write_bytes(
        f'video {stem}'.encode('utf-8', 'surrogateescape')
    )
    (root / FOLDERS[1] / f'{stem}.mkv').write_bytes(
        f'mask {stem}'.encode('utf-8', 'surrogateescape')
    )
    sizes = dict(mosaic_size_v1_normal=block, mosaic_size_v1_bounding=block, mosaic_size_v2=block)
    data = dict(
        name=source, fps=25.0, frames_count=2, base_mosaic_block_size=sizes, pad=[[0, 0, 0, 0]] * 2
    )
    if version == 1:
        data |= dict(orig_width=640, orig_height=272, width=side, height=side)
    else:
        video, mask = (
            ('relative_nsfw_video_path', 'relative_mask_video_path')
            if version == 2
            else ('video_path', 'mask_path')
        )
        data |= dict(version=version, orig_shape=[272, 640], scene_shape=[side, side])
        data |= {video: f'../{FOLDERS[0]}/{stem}.mp4', mask: f'../{FOLDERS[1]}/{stem}.mkv'}
        if mosaic:
            names = (
                ('mosaic_video_path', 'mosaic_mask_path')
                if version == 3
                else ('relative_mosaic_nsfw_video_path', 'relative_mosaic_mask_video_path')
            )
            data |= {
                names[0]: f'../crop_unscaled_mosaic/{stem}.mp4',
                names[1]: f'../crop_unscaled_mask_mosaic/{stem}.mkv',
            }
    if mosaic:
        for folder, suffix, content in (
            ('mosaic', 'mp4', b'mosaic'),
            ('mask_mosaic', 'mkv', b'mask of the mosaic'),
        ):
            (root / f'crop_unscaled_{folder}').mkdir(exist_ok=True)
            (root / f'crop_unscaled_{folder}' / f'{stem}.{suffix}').write_bytes(content)
    if version == 3:
        sha256 = sha256 or hashlib.sha256(os.fsencode(source)).hexdigest()
        data['source'] = dict(file=source, sha256=sha256, start_frame=0)
    (root / FOLDERS[2] / f'{stem}.json').write_text(json.dumps(data))
    return stem


def write_dataset(root: Path, sources: dict[str, int], **options) -> Path:
    """Write a dataset with so many clips of each source."""
    for source, count in sources.items():
        for number in range(count):
            write_clip(root, source, number, **options)
    return root


def snapshot(*roots: Path) -> dict[str, str]:
    """Return what is below folders: content hashes of files, targets of links, and folders."""
    found = {}
    for root in roots:
        if not root.exists():
            found[root.name] = 'missing'
            continue
        for folder, folders, files in os.walk(root):
            for name in folders:
                path = Path(folder) / name
                found[str(path.relative_to(root.parent))] = 'folder'
            for name in files:
                path = Path(folder) / name
                content = (
                    os.readlink(path)
                    if path.is_symlink()
                    else hashlib.sha256(path.read_bytes()).hexdigest()
                )
                found[str(path.relative_to(root.parent))] = content
    return found


def stems(root: Path) -> set[str]:
    return {path.stem for path in (root / FOLDERS[2]).glob('*.json')}
