"""Two hundred damaged files never crash or hang creation, checking or training, and each is
named.
"""

import json
import shutil

import numpy as np
import pytest

from lada.data import ClipDraw, ClipMetadata, MosaicVideoDataset
from lada.dataset_tools.check.checking import check_dataset
from lada.dataset_tools.create.creation import create_dataset
from lada.dataset_tools.create.planning import CreationSettings
from lada.errors import LadaError
from lada.video import clip_encoding, read_frames, write_video

VARIANTS = 200
SETTINGS = CreationSettings(
    min_frames=4,
    max_frames=8,
    min_resolution=0,
    min_light=0,
    min_change=0,
    max_blur=0,
    drop_duplicates=False,
)


def damaged(data: bytes, variant: int) -> bytes:
    """Cut the file short (every second variant), or change bytes at random places."""
    rng = np.random.default_rng(variant)
    if variant % 2 == 0:
        return data[: int(rng.integers(0, len(data)))]
    changed = bytearray(data)
    for position in rng.integers(0, len(data), int(rng.integers(1, 40))):
        changed[position] ^= int(rng.integers(1, 256))
    return bytes(changed)


@pytest.fixture(scope='module')
def source(tmp_path_factory, bikes):
    path = tmp_path_factory.mktemp('source') / 'tiny.mp4'
    write_video(path, read_frames(bikes, 0, 8)[:, 100:164, 200:264], 25, **clip_encoding())
    return path


@pytest.fixture(scope='module')
def clip(tmp_path_factory, source):
    root = tmp_path_factory.mktemp('clip') / 'set'
    create_dataset([source], root, SETTINGS, say=lambda line: None)
    (meta,) = (root / 'crop_unscaled_meta').iterdir()
    return ClipMetadata.from_file(meta), meta


def test_creation_names_every_damaged_source_and_goes_on(source, tmp_path):
    folder = tmp_path / 'in'
    folder.mkdir()
    data = source.read_bytes()
    for variant in range(VARIANTS):
        (folder / f'{variant:03}.mp4').write_bytes(damaged(data, variant))
    shutil.copy(source, folder / 'sound.mp4')
    said = []
    results = create_dataset([folder], tmp_path / 'set', SETTINGS, say=said.append)
    assert len(results) == VARIANTS + 1
    assert all('\n' not in line for line in said)
    for name in sorted(path.name for path in folder.iterdir()):
        assert sum(line.startswith(f'{folder / name}: ') for line in said) == 1
    failed = [result for result in results if result.error is not None]
    assert len(failed) > VARIANTS // 2 and not any(
        result.source.name == 'sound.mp4' for result in failed
    )


def test_checking_and_training_name_every_damaged_clip(clip, tmp_path):
    meta, meta_path = clip
    root = tmp_path / 'set'
    files = {'crop_unscaled_img': meta.video_path, 'crop_unscaled_mask': meta.mask_path}
    for folder in (*files, 'crop_unscaled_meta'):
        (root / folder).mkdir(parents=True)
    for variant in range(VARIANTS):
        spoilt = list(files)[variant // 2 % 2]
        for folder, path in files.items():
            data = path.read_bytes()
            (root / folder / f'{variant:03}{path.suffix}').write_bytes(
                damaged(data, variant) if folder == spoilt else data
            )
        text = json.loads(meta_path.read_text())
        text.update(
            video_path=f'../crop_unscaled_img/{variant:03}.mp4',
            mask_path=f'../crop_unscaled_mask/{variant:03}.mkv',
        )
        (root / 'crop_unscaled_meta' / f'{variant:03}.json').write_text(json.dumps(text))
    total, problems = check_dataset(root)
    assert total == VARIANTS
    named = {problem.clip for problem in problems if problem.kind != 'duplicate'}
    assert all('\n' not in problem.detail for problem in problems)
    sound = read_frames(meta.video_path), read_frames(meta.mask_path, gray=True)
    for variant in range(0, VARIANTS, 2):
        if (stem := f'{variant:03}') not in named:  # the cut took an index at the end, and no frame
            assert np.array_equal(read_frames(root / 'crop_unscaled_img' / f'{stem}.mp4'), sound[0])
            assert np.array_equal(
                read_frames(root / 'crop_unscaled_mask' / f'{stem}.mkv', gray=True), sound[1]
            )
    assert len(named) > VARIANTS // 2

    dataset = MosaicVideoDataset(
        root / 'crop_unscaled_meta', num_frame=meta.frames_count, lq_size=32, degrade=True
    )
    failed = set()
    for index in range(VARIANTS):
        stem = dataset.catalog.stem(index)
        try:
            sample = dataset.load(ClipDraw(index, 0))
        except LadaError as error:
            assert str(error).startswith(f'clip {stem}: ') and '\n' not in str(error)
            failed.add(stem)
        else:
            assert sample['inputs'].shape == (meta.frames_count, 3, 32, 32)
    assert failed and failed <= named


def test_damaged_metadata_is_named(clip, tmp_path):
    _, meta_path = clip
    data = meta_path.read_bytes()
    folder = tmp_path / 'set' / 'crop_unscaled_meta'
    folder.mkdir(parents=True)
    path = folder / 'one.json'
    for variant in range(VARIANTS):
        path.write_bytes(damaged(data, variant))
        try:
            ClipMetadata.from_file(path)
        except LadaError as error:
            assert 'one.json' in str(error) and '\n' not in str(error)
