"""The command that finds mosaics, and restoring without a mask."""

import json

import cv2
import numpy as np
import pytest
import torch

from lada.inference.find_video import FoundMosaics
from lada.models import BasicVSRPlusPlusNet
from lada.mosaic import MosaicLook, draw_mosaic
from lada.mosaic.find import MosaicRegion
from lada.video import iter_frames, probe, read_frames

SCRIPT = 'find-mosaic.py'


@pytest.fixture(scope='module')
def mosaicked(bikes):
    """Eight frames of 320x272 with blocks of 10 pixels in six of them, and their masks."""
    frames = read_frames(bikes, 120, 128)[:, :, 160:480]
    masks = np.zeros(frames.shape[:3], np.uint8)
    masks[:, 60:200, 80:250] = 255
    return draw_mosaic(frames, masks, MosaicLook('squa_avg', 10))


def test_mask_and_list_say_where_the_mosaic_is(make_video, tmp_path, run_script_file, mosaicked):
    frames, covered = mosaicked
    source = make_video(images=frames, options={'crf': '20'}, audio=True)
    mask, listed = tmp_path / 'mask.mkv', tmp_path / 'found.json'
    arguments = ['--input', source, '--output', mask, '--json', listed]
    status, out, err = run_script_file(SCRIPT, *arguments)
    assert status == 0, err
    assert 'a mosaic in 8 of 8 frames\nblocks of 10x10 pixels (width x height): 8 frames' in out
    about = probe(mask)
    assert (about.codec, about.pix_fmt, about.width, about.height) == ('ffv1', 'gray', 320, 272)
    masks = read_frames(mask, gray=True)
    assert masks.shape == covered.shape and set(np.unique(masks)) == {0, 255}
    assert ((masks != 0) & (covered != 0)).sum() > 0.9 * ((masks | covered) != 0).sum()
    found = json.loads(listed.read_bytes())
    assert {key: found[key] for key in ('format', 'video', 'width', 'height', 'frames')} == {
        'format': 1,
        'video': 'in.mp4',
        'width': 320,
        'height': 272,
        'frames': 8,
    }
    assert found['block_sizes'] == [{'height': 10, 'width': 10, 'frames': 8}]
    assert [region['frame'] for region in found['regions']] == list(range(8))
    for region, mask_frame in zip(found['regions'], masks, strict=True):
        x, y, width, height = cv2.boundingRect(mask_frame)
        assert region['box'] == [x, y, x + width, y + height]
        assert region['block'] == [10, 10]
        assert all(abs((place + 5) % 10 - 5) <= 1 for place in region['grid'])
        assert region['track'] == 0 and 0 < region['confidence'] <= 1
    status, _, err = run_script_file(SCRIPT, *arguments)
    assert status == 1 and 'there is already' in err and err.count('\n') == 1


def test_frames_are_counted_not_mosaics(bikes):
    left, right = (
        MosaicRegion((0, x, 30, x + 30), np.ones((30, 30), bool), (10, 10), (0, x), 0.9, track)
        for track, x in enumerate((0, 50))
    )
    found = FoundMosaics(probe(bikes))
    list(found.collect(iter([[left, right], [left, right], [right], []])))
    assert found.block_sizes() == [{'height': 10, 'width': 10, 'frames': 3}]
    assert found.lines()[0] == 'a mosaic in 3 of 4 frames'


def test_a_rotated_video_gets_an_upright_mask(make_video, tmp_path, run_script_file, mosaicked):
    source = make_video(images=mosaicked[0], options={'crf': '20'}, rotation=90)
    status, _, err = run_script_file(SCRIPT, '--input', source, '--output', tmp_path / 'mask.mkv')
    assert status == 0, err
    about = probe(tmp_path / 'mask.mkv')
    assert (about.width, about.height) == (272, 320)


def test_nothing_found_is_said(make_video, tmp_path, run_script_file, frames):
    source = make_video(images=frames[:6])
    status, out, err = run_script_file(SCRIPT, '--input', source, '--output', tmp_path / 'mask.mkv')
    assert status == 0, err
    assert 'no mosaic found in 6 frames' in out
    assert not read_frames(tmp_path / 'mask.mkv', gray=True).any()


def test_command_errors(make_video, tmp_path, run_script_file, frames):
    source, mask = make_video(images=frames[:3]), tmp_path / 'mask.mkv'
    (tmp_path / 'text.mp4').write_text('no video')
    (tmp_path / 'folder.mkv').mkdir()
    for args, message in (
        (['--input', source, '--output', tmp_path / 'mask.mp4'], 'written as .mkv'),
        (['--input', tmp_path / 'none.mp4', '--output', mask], 'none.mp4'),
        (['--input', tmp_path / 'text.mp4', '--output', mask], 'text.mp4'),
        (['--input', source, '--output', mask, '--json', mask], 'different files'),
        (['--input', source, '--output', tmp_path / 'folder.mkv'], 'a folder'),
        (['--input', source, '--output', tmp_path / 'none' / 'mask.mkv'], 'no such folder'),
    ):
        status, _, err = run_script_file(SCRIPT, *args)
        assert status == 1 and message in err and err.count('\n') == 1, err
    assert not mask.exists()


def test_a_damaged_video_leaves_nothing(make_video, tmp_path, run_script_file, frames):
    source = make_video('in.mkv', images=frames, codec='ffv1', options={'level': '3'})
    data = bytearray(source.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 200] = bytes(200)
    source.write_bytes(data)
    status, _, err = run_script_file(
        SCRIPT, '--input', source, '--output', tmp_path / 'mask.mkv', '--json', tmp_path / 'a.json'
    )
    assert status == 1 and 'damaged' in err and err.count('\n') == 1
    assert list(tmp_path.iterdir()) == [source]


def test_restoring_needs_no_mask(make_video, tmp_path, run_script_file, mosaicked):
    """What is found is what changes, seen through a lossless encoder."""
    generator = BasicVSRPlusPlusNet(mid_channels=8, num_blocks=1, is_low_res_input=False)
    torch.nn.init.zeros_(generator.conv_last.weight)
    torch.nn.init.ones_(generator.conv_last.bias)
    weights = {f'generator.{key}': value for key, value in generator.state_dict().items()}
    torch.save({'state_dict': weights}, tmp_path / 'white.pth')
    source = make_video('in.mkv', codec='ffv1', options={}, images=mosaicked[0][:5])
    out = tmp_path / 'out.mkv'
    status, said, err = run_script_file(
        'restore-video.py',
        *('--input', source, '--checkpoint', tmp_path / 'white.pth', '--output', out),
        *('--codec', 'ffv1', '--device', 'cpu'),
    )
    assert status == 0, err
    assert 'a mosaic in 5 of 5 frames' in said and 'blocks of 10x10' in said
    covered = mosaicked[1][:5] != 0
    for before, after, mask in zip(
        iter_frames(source, gray=True), iter_frames(out, gray=True), covered, strict=True
    ):
        changed = before != after
        assert (changed & mask).sum() > 0.9 * mask.sum()
        assert (changed & ~mask).sum() < 0.03 * mask.sum()
