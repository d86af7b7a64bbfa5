"""A split of three small clips, as this toolkit and as older releases of public Lada write it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from lada.data import ClipMetadata
from lada.mosaic import MosaicLook
from lada.video import clip_encoding, mask_encoding, read_frames, write_video

FRAMES = (8, 10, 12)
SIDE = 64
PAD = [4, 0, 0, 6]


def write_clip(root: Path, stem: str, frames: np.ndarray, masks: np.ndarray, **changes) -> Path:
    paths = {
        kind: root / f'crop_unscaled_{kind}' / f'{stem}{suffix}'
        for kind, suffix in (('img', '.mp4'), ('mask', '.mkv'), ('meta', '.json'))
    }
    for path in paths.values():
        path.parent.mkdir(parents=True, exist_ok=True)
    write_video(paths['img'], frames, 25, **clip_encoding())
    write_video(paths['mask'], masks, 25, **mask_encoding())
    fields = dict(
        stem=stem,
        name='bikes.mp4',
        source={'file': 'bikes.mp4', 'sha256': '0' * 64, 'start_frame': 0},
        fps=25.0,
        frames_count=len(frames),
        orig_shape=(272, 640),
        scene_shape=(60, 58),
        base_mosaic_block_size={
            'mosaic_size_v1_normal': 5.5,
            'mosaic_size_v1_bounding': 6.0,
            'mosaic_size_v2': 4.0,
            'mosaic_size_v3': 6.0,
        },
        pad=[PAD] * len(frames),
        video_path=paths['img'],
        mask_path=paths['mask'],
        mosaic=MosaicLook('squa_avg', 6, 1.0, 4),
        video_quality={'overall': 0.5},
    )
    ClipMetadata(**fields | changes).to_file(paths['meta'])
    return paths['meta']


def write_split(root: Path, video: Path) -> Path:
    top, _, _, right = PAD
    for number, count in enumerate(FRAMES):
        frames = read_frames(video, 20 * number, 20 * number + count)[
            :, 60 : 60 + SIDE, 100 : 100 + SIDE
        ].copy()
        frames[:, :top] = 0
        frames[:, :, -right:] = 0
        masks = np.zeros(frames.shape[:3], np.uint8)
        for time, mask in enumerate(masks):
            mask[16 + time : 48 + time, 10:50] = 255
        write_clip(root, f'bikes.mp4-{number:06d}', frames, masks)
    return root / 'crop_unscaled_meta'


def downgrade(meta: Path, version: int) -> None:
    """Rewrite the metadata of a version 3 split the way public Lada wrote it."""
    for path in meta.glob('*.json'):
        data = json.loads(path.read_text())
        del data['source']
        video, mask = data.pop('video_path'), data.pop('mask_path')
        if version == 2:
            data.update(
                version=2,
                watermark_detected=None,
                nudenet_nsfw_detected=None,
                relative_nsfw_video_path=video,
                relative_mask_video_path=mask.replace('/', '\\'),
            )
        else:
            del data['version'], data['base_mosaic_block_size']['mosaic_size_v3']
            data['orig_height'], data['orig_width'] = data.pop('orig_shape')
            data['height'], data['width'] = data.pop('scene_shape')
            if '000001' in path.name:
                data['frame_count'] = data.pop('frames_count')
        path.write_text(json.dumps(data))


@pytest.fixture(scope='session')
def split_v3(tmp_path_factory, bikes) -> Path:
    """Metadata folder; do not change anything in it."""
    return write_split(tmp_path_factory.mktemp('v3'), bikes)


@pytest.fixture(scope='session')
def splits(tmp_path_factory, split_v3) -> dict[int, Path]:
    """Metadata folders of the same split in versions 1, 2 and 3; do not change anything in them."""
    folders = {3: split_v3}
    for version in (1, 2):
        root = tmp_path_factory.mktemp(f'v{version}') / 'split'
        shutil.copytree(split_v3.parent, root, ignore=shutil.ignore_patterns('.lada_index'))
        downgrade(root / split_v3.name, version)
        folders[version] = root / split_v3.name
    return folders


@pytest.fixture
def split(tmp_path, split_v3) -> Path:
    """Metadata folder of a copy of the split, to be changed at will."""
    root = tmp_path / 'split'
    shutil.copytree(split_v3.parent, root, ignore=shutil.ignore_patterns('.lada_index'))
    return root / split_v3.name


@pytest.fixture
def edit(split):
    """Return a function that changes keys of one clip's metadata (None deletes)."""

    def change(number: int = 0, **changes) -> Path:
        path = split / f'bikes.mp4-{number:06d}.json'
        data = json.loads(path.read_text()) | changes
        path.write_text(
            json.dumps({key: value for key, value in data.items() if value is not None})
        )
        return path

    return change
