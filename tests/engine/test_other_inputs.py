"""Training on what users bring: datasets of older versions, MMagic's model configs, and damaged
data.
"""

import json
import shutil

import pytest

from lada.data import MosaicVideoDataset


@pytest.fixture
def copy(tmp_path, clips):
    """The training clips, copied so that a test may change them: returns the root."""
    return shutil.copytree(
        clips[0].parent, tmp_path / 'copy', ignore=shutil.ignore_patterns('.lada_index')
    )


def on_copy(copy):
    return (
        '\ntrain_dataloader["dataset"]["metadata_root_dir"] ='
        f' {str(copy / "crop_unscaled_meta")!r}\n'
    )


def rewrite(copy, version):
    """Rewrite the metadata as public Lada wrote it in version 1 or 2."""
    for path in (copy / 'crop_unscaled_meta').glob('*.json'):
        new = json.loads(path.read_text())
        old = {key: new[key] for key in ('name', 'fps', 'pad', 'base_mosaic_block_size')}
        if version == 1:
            (h, w), (height, width) = new['scene_shape'], new['orig_shape']
            old |= dict(
                frame_count=new['frames_count'],
                orig_width=width,
                orig_height=height,
                width=w,
                height=h,
            )
            old['base_mosaic_block_size'].pop('mosaic_size_v3', None)
        else:
            old |= {key: new[key] for key in ('frames_count', 'orig_shape', 'scene_shape')}
            old |= dict(
                version=2,
                relative_nsfw_video_path=new['video_path'],
                relative_mask_video_path=new['mask_path'],
                watermark_detected=None,
                nudenet_nsfw_detected=None,
                nudenet_nsfw_detected_classes={'first': False, 'second': True},
                censoring_detected=None,
            )
        path.write_text(json.dumps(old))
        if version == 2:
            # Public Lada's own stems end in a dash.
            path.rename(path.with_name(f'{path.stem}-.json'))


@pytest.mark.slow
@pytest.mark.parametrize('version', [1, 2])
def test_datasets_of_older_versions_train(tmp_path, copy, write_config, run_training, version):
    rewrite(copy, version)
    config = write_config(tmp_path / 'run', on_copy(copy))
    status, _, err = run_training(config, '--cfg-options', 'train_cfg.max_iters=2')
    assert status == 0, err
    assert (tmp_path / 'run' / 'iter_2.pth').exists()
    clips = MosaicVideoDataset(copy / 'crop_unscaled_meta', 2)
    assert {clips[number]['data_samples'].source for number in range(len(clips))} == {'bikes.mp4'}


MMAGIC_MODEL = """
model = dict(
    _delete_=True,
    type='BasicVSR',
    generator=dict(type='BasicVSRPlusPlusNet', mid_channels=8, num_blocks=1, is_low_res_input=False,
                   spynet_pretrained=None, cpu_cache_length=100),
    pixel_loss=dict(type='CharbonnierLoss', loss_weight=1.0, reduction='mean'),
    ensemble=dict(type='SpatialTemporalEnsemble', is_temporal_ensemble=False),
    train_cfg=dict(fix_iter=5000),
    data_preprocessor=dict(type='DataPreprocessor', mean=[0., 0., 0.], std=[255., 255., 255.]))
"""


@pytest.mark.slow
def test_a_model_from_an_mmagic_config_trains(tmp_path, write_config, run_training):
    config = write_config(tmp_path / 'run', MMAGIC_MODEL)
    status, _, err = run_training(
        config, '--cfg-options', 'train_cfg.max_iters=2', 'train_cfg.val_interval=2'
    )
    assert status == 0, err


def no_dataset(copy):
    shutil.rmtree(copy)


def no_clips(copy):
    for path in (copy / 'crop_unscaled_meta').glob('*.json'):
        path.unlink()


def too_short_clips(copy):
    for path in (copy / 'crop_unscaled_meta').glob('*.json'):
        content = json.loads(path.read_text())
        path.write_text(json.dumps(content | dict(frames_count=1, pad=content['pad'][:1])))


def no_masks(copy):
    shutil.rmtree(copy / 'crop_unscaled_mask')


def short_masks(copy):
    from lada.video import mask_encoding, read_frames, write_video

    for path in (copy / 'crop_unscaled_mask').glob('*.mkv'):
        write_video(path, read_frames(path, 0, 1, gray=True), 25, **mask_encoding())


def half_json(copy):
    path = min((copy / 'crop_unscaled_meta').glob('*.json'))
    path.write_text(path.read_text()[:200])


def empty_videos(copy):
    for path in (copy / 'crop_unscaled_img').glob('*.mp4'):
        path.write_bytes(b'')


def path_outside(copy):
    path = min((copy / 'crop_unscaled_meta').glob('*.json'))
    path.write_text(
        json.dumps(json.loads(path.read_text()) | dict(video_path='../../../secret.mp4'))
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ('damage', 'said'),
    [
        (no_dataset, 'copy'),
        (no_clips, 'copy'),
        (too_short_clips, 'num_frame'),
        (no_masks, '.mkv'),
        (short_masks, '.mkv'),
        (half_json, '.json'),
        (empty_videos, '.mp4'),
        (path_outside, 'secret.mp4'),
    ],
    ids=lambda value: getattr(value, '__name__', None),
)
def test_damaged_data_ends_in_one_line(tmp_path, copy, write_config, run_training, damage, said):
    config = write_config(tmp_path / 'run', on_copy(copy))
    damage(copy)
    workers = '2' if damage is short_masks else '0'
    status, _, err = run_training(
        config, '--cfg-options', f'train_dataloader.num_workers={workers}'
    )
    assert status == 1
    last = err.strip().splitlines()[-1]
    assert last.startswith('error: ') and said in last and 'Traceback' not in last
    assert not list((tmp_path / 'run').glob('iter_*')) or damage in (
        no_masks,
        short_masks,
        empty_videos,
    )
