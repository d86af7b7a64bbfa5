import json
import pickle

import numpy as np
import pytest
import torch
from mmengine.dataset import default_collate, pseudo_collate
from mmengine.registry import FUNCTIONS, init_default_scope
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from lada.data import ClipDraw, ClipMetadata, MosaicVideoDataset
from lada.errors import LadaError
from lada.mosaic import MosaicLook, draw_mosaic
from lada.registry import DATASETS
from lada.video import clip_encoding, mask_encoding, read_frames, write_video

AUGMENTED = dict(num_frame=6, lq_size=64, use_hflip=True, rotation_probability=0.5, seed=5)


def content(sample) -> tuple:
    """Everything in a sample, comparable."""
    data = sample['data_samples']
    meta = {
        key: value.tolist() if isinstance(value, np.ndarray) else value
        for key, value in data.metainfo_items()
        if key != 'gt_path'
    }
    return (
        sample['inputs'].numpy().tobytes(),
        data.gt_img.numpy().tobytes(),
        data.mosaic_mask.numpy().tobytes(),
        sorted(meta.items()),
    )


def test_a_sample_has_the_promised_shape(split_v3):
    sample = MosaicVideoDataset(split_v3, num_frame=6, lq_size=32, rotation_probability=0)[0]
    data = sample['data_samples']
    assert sample['inputs'].shape == data.gt_img.shape == (6, 3, 32, 32)
    assert data.mosaic_mask.shape == (6, 32, 32)
    assert sample['inputs'].dtype == data.gt_img.dtype == data.mosaic_mask.dtype == torch.uint8
    assert set(data.mosaic_mask.unique().tolist()) == {0, 255}
    assert data.key == 'bikes.mp4-000000' and data.fps == 25.0 and 0 <= data.clip_start <= 2
    assert data.gt_path == str(split_v3.parent / 'crop_unscaled_img' / 'bikes.mp4-000000.mp4')
    assert data.img_channel_order == data.gt_channel_order == 'rgb'
    assert data.img_color_type == data.gt_color_type == 'color'
    assert np.array_equal(data.mosaic_origin, [[2.0, 0.0]] * 6)


def test_input_differs_from_truth_under_the_mask_only_and_pads_are_zero(split_v3):
    sample = MosaicVideoDataset(split_v3, num_frame=6, lq_size=64, rotation_probability=0)[1]
    inputs, gt, mask = (
        sample['inputs'],
        sample['data_samples'].gt_img,
        sample['data_samples'].mosaic_mask,
    )
    changed = (inputs != gt).any(1)
    assert changed.any() and not changed[mask == 0].any()
    for frames in (inputs, gt, mask):
        assert not frames[..., :4, :].any() and not frames[..., -6:].any()


def test_content_is_what_lies_in_the_file(split_v3):
    sample = MosaicVideoDataset(split_v3, num_frame=6, lq_size=64, rotation_probability=0)[2]
    data = sample['data_samples']
    frames = read_frames(data.gt_path, data.clip_start, data.clip_start + 6)[:, 4:, :-6]
    assert np.array_equal(data.gt_img.permute(0, 2, 3, 1)[:, 4:, :-6], frames)


def test_the_grid_is_where_it_says(split_v3):
    """Blocks of a mean look are flat exactly between the grid's lines."""
    dataset = MosaicVideoDataset(
        split_v3,
        4,
        lq_size=64,
        pipeline=[
            dict(type='LoadClip'),
            dict(type='DrawMosaic', mod_probs=dict(rect_avg=1.0), feather_prob=0),
            dict(type='ResizeClip', size=64),
            dict(type='FlipClip', prob=1),
            dict(type='PackClip'),
        ],
    )
    for epoch in range(6):
        sample = dataset[ClipDraw(0, epoch)]
        data = sample['data_samples']
        (height, width), (top, left) = data.mosaic_block, data.mosaic_origin[0]
        mask = data.mosaic_mask[0].numpy() != 0
        rows, columns = np.nonzero(mask)
        blocks = np.stack([(rows - top) // height, (columns - left) // width], 1)
        pixels = sample['inputs'][0].permute(1, 2, 0).numpy()[rows, columns]
        for block in np.unique(blocks, axis=0):
            inside = (blocks == block).all(1)
            assert np.ptp(pixels[inside].astype(int), axis=0).max() == 0
            assert inside.sum() <= height * width
        assert left <= 6 and top == 4


@pytest.mark.parametrize('degrade', [False, True])
def test_samples_are_the_same_bytes_for_any_workers_and_order(split_v3, degrade):
    dataset = MosaicVideoDataset(split_v3, degrade=degrade, **AUGMENTED | dict(lq_size=128))
    draws = [ClipDraw(index, epoch) for epoch in range(3) for index in range(3)]
    expected = {draw: content(dataset[draw]) for draw in draws}
    order = [draws[place] for place in (4, 0, 8, 2, 6, 1, 3, 7, 5)]
    loader = DataLoader(
        dataset,
        sampler=order,
        batch_size=None,
        num_workers=2,
        worker_init_fn=init_worker_function(),
    )
    assert [content(sample) for sample in loader] == [expected[draw] for draw in order]
    assert len({value[0] for value in expected.values()}) == 9


def init_worker_function():
    return FUNCTIONS.get('init_lada_worker')


def test_another_seed_gives_another_sample_and_an_integer_means_epoch_0(split_v3):
    dataset = MosaicVideoDataset(split_v3, **AUGMENTED)
    other = MosaicVideoDataset(split_v3, **AUGMENTED | dict(seed=6))
    assert content(dataset[1]) == content(dataset[ClipDraw(1, 0)]) == content(dataset[np.int64(1)])
    assert content(dataset[1]) != content(other[1])


def test_repeatable_means_the_same_in_every_epoch(split_v3):
    dataset = MosaicVideoDataset(split_v3, repeatable_random=True, **AUGMENTED)
    assert content(dataset[ClipDraw(1, 0)]) == content(dataset[ClipDraw(1, 7)])


def test_all_versions_give_equal_samples(splits):
    datasets = [MosaicVideoDataset(splits[version], **AUGMENTED) for version in (1, 2, 3)]
    for draw in (ClipDraw(0, 0), ClipDraw(1, 3), ClipDraw(2, 1)):
        old, middle, new = (content(dataset[draw]) for dataset in datasets)
        assert old == middle == new


def test_whole_clips_and_short_ones(split_v3):
    whole = MosaicVideoDataset(split_v3, num_frame=-1, lq_size=32)
    assert [len(whole[index]['inputs']) for index in range(3)] == [8, 10, 12]
    short = MosaicVideoDataset(split_v3, num_frame=11, min_num_frame=9, lq_size=32)
    assert [len(short[index]['inputs']) for index in range(2)] == [10, 11]
    assert len(short) == 2
    assert len(MosaicVideoDataset(split_v3, num_frame=11)) == 1


def test_windows_reach_every_place(split_v3):
    dataset = MosaicVideoDataset(split_v3, num_frame=10, lq_size=16)
    starts = {dataset[ClipDraw(1, epoch)]['data_samples'].clip_start for epoch in range(30)}
    assert starts == {0, 1, 2}


def test_filters(split, edit):
    edit(0, watermark_detected=True, video_quality={'overall': 0.2})
    edit(1, nudenet_nsfw_detected=True, video_quality={'technical': 0.1})

    def stems(**options):
        dataset = MosaicVideoDataset(split, num_frame=8, lq_size=16, **options)
        return [dataset[index]['data_samples'].key[-1] for index in range(len(dataset))]

    assert stems() == ['0', '1', '2']
    assert stems(filter_watermark=True) == ['1', '2']
    assert stems(filter_nudenet_nsfw=True) == ['1']
    assert stems(filter_video_quality=0.4) == ['1', '2']
    assert stems(filter_video_quality=0.1) == ['0', '1', '2']
    with pytest.raises(
        LadaError, match=r'left of 3: .*crop_unscaled_meta; 2 .*fewer than 11 .* 1 are not flagged'
    ):
        MosaicVideoDataset(split, num_frame=11, filter_nudenet_nsfw=True)


def test_the_stored_look_is_drawn(split_v3):
    dataset = MosaicVideoDataset(
        split_v3, num_frame=-1, lq_size=64, random_mosaic_params=False, rotation_probability=0
    )
    sample = dataset[0]
    meta = dataset.catalog[0]
    frames, mask = read_frames(meta.video_path), read_frames(meta.mask_path, gray=True)
    expected, _ = draw_mosaic(frames, mask, MosaicLook('squa_avg', 6, 1.0, 4), np.array(meta.pad))
    assert np.array_equal(sample['inputs'].permute(0, 2, 3, 1)[:, 4:, :-6], expected[:, 4:, :-6])
    assert sample['data_samples'].mosaic_block == (6.0, 6.0)


def test_the_stored_mosaic_video_goes_first_and_is_not_degraded(split, edit):
    root = split.parent
    mosaic = np.full((8, 64, 64, 3), 90, np.uint8)
    masks = np.zeros((8, 64, 64), np.uint8)
    masks[:, 20:30, 20:40] = 255
    write_video(root / 'mosaic.mp4', mosaic, 25, **clip_encoding())
    write_video(root / 'mosaic_mask.mkv', masks, 25, **mask_encoding())
    edit(0, mosaic_video_path='../mosaic.mp4', mosaic_mask_path='../mosaic_mask.mkv')
    dataset = MosaicVideoDataset(
        split,
        num_frame=8,
        lq_size=64,
        random_mosaic_params=False,
        degrade=True,
        rotation_probability=0,
    )
    sample = dataset[0]
    assert (sample['inputs'][:, :, 4:, :-6].int() - 90).abs().max() <= 2
    assert np.array_equal(sample['data_samples'].mosaic_mask, masks)


def test_no_stored_mosaic_at_all_is_an_error(split, edit):
    edit(0, mosaic=None)
    dataset = MosaicVideoDataset(split, num_frame=8, random_mosaic_params=False)
    with pytest.raises(LadaError, match=r'bikes\.mp4-000000.*random_mosaic_params=True'):
        dataset[0]


def test_degrading_changes_the_input_only(split_v3):
    arguments = dict(num_frame=6, lq_size=64, rotation_probability=0)
    clean = MosaicVideoDataset(split_v3, **arguments)[0]
    worn = MosaicVideoDataset(
        split_v3,
        **arguments,
        pipeline=[
            dict(type='LoadClip'),
            dict(type='DrawMosaic'),
            dict(type='ResizeClip', size=64),
            dict(type='DegradeClip', steps=[dict(type='GaussianBlur', p=1.0)]),
            dict(type='PackClip'),
        ],
    )[0]
    assert torch.equal(clean['data_samples'].gt_img, worn['data_samples'].gt_img)
    assert not torch.equal(clean['inputs'], worn['inputs'])
    assert not worn['inputs'][..., :4, :].any() and not worn['inputs'][..., -6:].any()


def test_scale_enlarges_the_truth(split_v3):
    sample = MosaicVideoDataset(split_v3, num_frame=2, lq_size=16, scale=4)[0]
    assert sample['inputs'].shape == (2, 3, 16, 16)
    assert sample['data_samples'].gt_img.shape == (2, 3, 64, 64)
    assert sample['data_samples'].mosaic_mask.shape == (2, 64, 64)


@pytest.mark.parametrize(
    'arguments, words',
    [
        (dict(num_frames=3), "'num_frames'"),
        (dict(num_frame=0), 'num_frame is 0'),
        (dict(seed=-1), 'seed -1'),
        (dict(lq_size=0), 'at least 1'),
        (dict(pipeline=[dict(type='Nonsense')]), 'Nonsense'),
        (dict(pipeline=[dict(type='FlipClip', probability=1)]), 'probability'),
        (dict(pipeline=[dict(type='DegradeClip', steps=[dict(type='Rain')])]), "'Rain'"),
        (dict(pipeline=[dict(type='DegradeClip', steps=[dict(type='GaussianBlur', q=1)])]), "'q'"),
        (
            dict(
                pipeline=[
                    dict(type='DegradeClip', steps=[dict(type='VideoCompression', p=1, codecs=[])])
                ]
            ),
            'codec_probs',
        ),
    ],
)
def test_wrong_arguments_are_named(split_v3, arguments, words):
    with pytest.raises(LadaError, match=words):
        MosaicVideoDataset(**dict(metadata_root_dir=split_v3, num_frame=3) | arguments)


def damage_missing(root, stem):
    (root / 'crop_unscaled_mask' / f'{stem}.mkv').unlink()
    return 'mkv'


def write_empty_mask(root, stem, shape):
    path = root / 'crop_unscaled_mask' / f'{stem}.mkv'
    write_video(path, np.zeros(shape, np.uint8), 25, **mask_encoding())


def damage_shorter_mask(root, stem):
    write_empty_mask(root, stem, (5, 64, 64))
    return 'mkv'


def damage_other_size(root, stem):
    write_empty_mask(root, stem, (8, 32, 64))
    return '64x32 .* 64x64.*mkv'


def damage_empty_video(root, stem):
    (root / 'crop_unscaled_img' / f'{stem}.mp4').write_bytes(b'')
    return 'mp4'


def damage_pads(root, stem):
    path = root / 'crop_unscaled_meta' / f'{stem}.json'
    path.write_text(json.dumps(json.loads(path.read_text()) | dict(pad=[[40, 40, 0, 0]] * 8)))
    return "'pad'"


@pytest.mark.parametrize(
    'damage',
    [damage_missing, damage_shorter_mask, damage_other_size, damage_empty_video, damage_pads],
)
def test_a_damaged_clip_is_named_with_its_file(split, damage):
    words = damage(split.parent, 'bikes.mp4-000000')
    dataset = MosaicVideoDataset(split, num_frame=8)
    with pytest.raises(LadaError, match=f'clip bikes.mp4-000000: .*{words}') as caught:
        dataset[0]
    assert '\n' not in str(caught.value)
    assert len(dataset[1]['inputs']) == 8


def test_a_sequence_ends(split_v3):
    dataset = MosaicVideoDataset(split_v3, num_frame=2, lq_size=16)
    assert len(list(dataset)) == 3
    with pytest.raises(IndexError):
        dataset[-1]


def test_it_pickles_small(split_v3):
    dataset = MosaicVideoDataset(split_v3, **AUGMENTED)
    again = pickle.loads(pickle.dumps(dataset))
    assert content(again[0]) == content(dataset[0])


def test_both_collate_functions_of_mmengine(split_v3):
    dataset = MosaicVideoDataset(split_v3, num_frame=4, lq_size=16)
    samples = [dataset[0], dataset[1]]
    assert default_collate(samples)['inputs'].shape == (2, 4, 3, 16, 16)
    for batch in (default_collate(samples), pseudo_collate(samples)):
        assert [data.key for data in batch['data_samples']] == [
            'bikes.mp4-000000',
            'bikes.mp4-000001',
        ]


def test_mmengine_builds_the_loader(split_v3):
    init_default_scope('lada')
    assert DATASETS.get('MosaicVideoDataset') is MosaicVideoDataset
    loader = Runner.build_dataloader(
        dict(
            dataset=dict(
                type='MosaicVideoDataset', metadata_root_dir=str(split_v3), num_frame=4, lq_size=16
            ),
            sampler=dict(type='InfiniteSampler', seed=1),
            batch_size=2,
            num_workers=2,
            worker_init_fn=dict(type='init_lada_worker'),
            collate_fn=dict(type='default_collate'),
        ),
        seed=3,
    )
    iterator = iter(loader)
    batches = [next(iterator) for _ in range(4)]
    assert all(batch['inputs'].shape == (2, 4, 3, 16, 16) for batch in batches)
    assert sorted(data.key for batch in batches[:3] for data in batch['data_samples'])[::2] == [
        'bikes.mp4-000000',
        'bikes.mp4-000001',
        'bikes.mp4-000002',
    ]


def test_metainfo_says_where_the_clips_are(split_v3):
    dataset = MosaicVideoDataset(str(split_v3), num_frame=2)
    assert dataset.metainfo['metadata_root_dir'] == str(split_v3)
    assert isinstance(dataset.catalog[0], ClipMetadata)
