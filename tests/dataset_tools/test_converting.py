"""Metadata of version 2, as public Lada reads it: written by creation, and by the converter."""

import json

import pytest
from fake_clips import snapshot, write_clip, write_dataset

from lada.data import ClipMetadata
from lada.dataset_tools.create.creation import create_dataset
from lada.dataset_tools.create.planning import CreationSettings
from lada.video import read_frames, write_video

CONVERT = 'convert-metadata.py'
KEYS = {
    'version', 'name', 'fps', 'frames_count', 'orig_shape', 'scene_shape', 'pad', 'mosaic',
    'base_mosaic_block_size', 'relative_nsfw_video_path', 'relative_mask_video_path',
    'relative_mosaic_nsfw_video_path', 'relative_mosaic_mask_video_path', 'video_quality',
    'watermark_detected', 'nudenet_nsfw_detected', 'nudenet_nsfw_detected_classes',
    'censoring_detected',
}  # fmt: skip
SIZES = {'mosaic_size_v1_normal', 'mosaic_size_v1_bounding', 'mosaic_size_v2', 'mosaic_size_v3'}


def test_creation_writes_version_2(bikes, tmp_path):
    write_video(tmp_path / 'a.mp4', read_frames(bikes, 0, 12)[:, :128, :160], 25)
    settings = CreationSettings(min_frames=10, max_frames=12, metadata_version=2, max_blur=0)
    create_dataset([tmp_path / 'a.mp4'], tmp_path / 'set', settings, say=lambda line: None)
    [path] = (tmp_path / 'set').glob('crop_unscaled_meta/*.json')
    data = json.loads(path.read_text())
    assert set(data) == KEYS and data['version'] == 2 and data['mosaic'] is None
    assert set(data['base_mosaic_block_size']) == SIZES
    assert data['relative_nsfw_video_path'] == '../crop_unscaled_img/a.mp4-000000.mp4'
    clip = ClipMetadata.from_file(path)
    assert clip.video_path.is_file() and clip.mask_path.is_file() and clip.name == 'a.mp4'


@pytest.mark.parametrize('version', [1, 2, 3])
def test_a_dataset_is_converted_and_stays_as_it_is(tmp_path, here, version):
    root = write_dataset(
        tmp_path / 'set', {'a.mp4': 2, 'b.mp4': 1}, version=version, mosaic=version > 1
    )
    before = snapshot(root)
    result = here(CONVERT, root, '--output', tmp_path / 'public')
    assert result.returncode == 0 and '3 clips with metadata of version 2' in result.stdout
    assert snapshot(root) == before
    for path in sorted((tmp_path / 'public' / 'crop_unscaled_meta').glob('*.json')):
        assert set(json.loads(path.read_text())) == KEYS
        old = ClipMetadata.from_file(root / 'crop_unscaled_meta' / path.name)
        new = ClipMetadata.from_file(path)
        assert new.video_path.read_bytes() == old.video_path.read_bytes()
        assert (new.name, new.pad, new.scene_shape) == (old.name, old.pad, old.scene_shape)
        assert (new.mosaic_video_path is None) == (old.mosaic_video_path is None)


def test_conversion_is_continued_and_names_what_it_leaves_out(tmp_path, here):
    root, output = write_dataset(tmp_path / 'set', {'a.mp4': 2}), tmp_path / 'public'
    stem = write_clip(root, 'b.mp4', 0)
    (root / 'crop_unscaled_img' / f'{stem}.mp4').unlink()
    result = here(CONVERT, root, '--output', output)
    assert result.returncode == 1 and '2 clips' in result.stdout and '1 left out' in result.stdout
    assert 'left out: b.mp4-000000' in result.stdout
    before = snapshot(output)
    assert here(CONVERT, root, '--output', output).returncode == 1 and snapshot(output) == before
    inside = here(CONVERT, root, '--output', root / 'x')
    assert inside.returncode == 1 and inside.stderr.startswith('error: the output lies in')
