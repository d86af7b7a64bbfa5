"""The script, from a video file to a video file."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from lada.checkpoints.architecture import architecture_of
from lada.checkpoints.fitting import networks_of
from lada.errors import LadaError
from lada.inference.regions import masks_from_boxes, masks_from_video
from lada.inference.restore import Restorer
from lada.inference.restore_video import restore_video
from lada.inference.self_test import SyntheticMosaic
from lada.models import BasicVSRPlusPlusNet
from lada.registry import MODELS
from lada.video import VideoRewriter, mask_encoding, probe, read_frames, write_video
from lada.video.boxes import read_boxes

SCRIPT = 'restore-video.py'


def save_checkpoint(generator, path):
    """Write a training checkpoint and return its path."""
    weights = {f'generator.{key}': value for key, value in generator.state_dict().items()}
    torch.save({'state_dict': weights}, path)
    return path


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """A training checkpoint of the smallest network."""
    generator = BasicVSRPlusPlusNet(mid_channels=8, num_blocks=1, is_low_res_input=False)
    return save_checkpoint(generator, tmp_path_factory.mktemp('weights') / 'iter_1.pth')


def test_script_restores_measures_and_compares(
    make_video, tmp_path, run_script_file, checkpoint, frames, times
):
    source = make_video(audio=True, images=frames[:6])
    status, out, err = run_script_file(
        SCRIPT,
        '--input',
        source,
        '--checkpoint',
        checkpoint,
        '--output',
        tmp_path / 'out.mp4',
        '--device',
        'cpu',
        '--synthesize-mosaic',
        '--block-size',
        6,
        '--compare',
        '--window',
        4,
        '--overlap',
        1,
    )
    assert status == 0, err
    assert 'mosaic input' in out and 'frames/s' in out
    assert times(tmp_path / 'out.mp4') == times(source)
    assert probe(tmp_path / 'out.mp4').has_audio
    assert probe(tmp_path / 'out-compare.mp4').width == 2 * probe(source).width


@pytest.fixture(scope='module')
def whitening(tmp_path_factory):
    """A checkpoint whose network returns white."""
    generator = BasicVSRPlusPlusNet(mid_channels=8, num_blocks=1, is_low_res_input=False)
    torch.nn.init.zeros_(generator.conv_last.weight)
    torch.nn.init.ones_(generator.conv_last.bias)
    return save_checkpoint(generator, tmp_path_factory.mktemp('weights') / 'white.pth')


@pytest.mark.parametrize('kind', ['mask', 'boxes'])
def test_script_changes_the_named_region_and_nothing_else(
    make_video, tmp_path, run_script_file, whitening, frames, kind
):
    """Seen through a lossless encoder."""
    source = make_video('in.mkv', codec='ffv1', options={}, images=frames[:6])
    masks = np.zeros((6, *frames.shape[1:3]), np.uint8)
    masks[1:5, 31:70, 41:90] = 255
    if kind == 'mask':
        region = tmp_path / 'mask.mkv'
        write_video(region, masks, 25, **mask_encoding())
    else:
        region = tmp_path / 'boxes.csv'
        region.write_text('first,last,x,y,width,height\n1,4,41,31,49,39\n')
    status, _, err = run_script_file(
        SCRIPT,
        '--input',
        source,
        '--checkpoint',
        whitening,
        '--output',
        tmp_path / 'out.mkv',
        f'--{kind}',
        region,
        '--codec',
        'ffv1',
        '--window',
        4,
        '--overlap',
        1,
        '--device',
        'cpu',
    )
    assert status == 0, err
    before, after = read_frames(source, gray=True), read_frames(tmp_path / 'out.mkv', gray=True)
    assert np.array_equal(before[masks == 0], after[masks == 0])
    assert (after[1:5, 36:65, 46:85] == 255).all() and (before[1:5, 36:65, 46:85] < 255).any()
    # The seam is feathered: at the edge the old picture still shines through.
    assert (after[1:5, 31, 41:90] < 255).any()


def size_of(path):
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


@pytest.mark.slow
@pytest.mark.parametrize(('number', 'expected'), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_run_leaves_nothing_under_the_name(
    make_video, tmp_path, repo_root, frames, number, expected
):
    source = make_video(images=np.concatenate([frames] * 20), audio=True)
    process = subprocess.Popen(
        [
            sys.executable,
            f'scripts/evaluation/{SCRIPT}',
            '--input',
            source,
            '--method',
            'interpolate',
            '--output',
            tmp_path / 'out.mp4',
            '--synthesize-mosaic',
            '--window',
            '4',
            '--overlap',
            '0',
            '--device',
            'cpu',
        ],
        cwd=repo_root,
        stderr=subprocess.PIPE,
        text=True,
    )
    # The first such file is the rehearsal's.
    while not any(size_of(path) > 1000 for path in tmp_path.glob('.out.mp4.*')):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == expected, err
    assert 'Traceback' not in err
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names in (['in.mp4'], ['in.mp4', 'out-partial.mp4'])


def test_a_failed_run_is_continued(make_video, tmp_path, run_script_file, whitening, painter):
    """Boxes count from the video's first frame, not from the first that is left."""
    source, target = make_video(), tmp_path / 'out.mp4'
    boxes = tmp_path / 'boxes.csv'
    boxes.write_text('first,last,x,y,width,height\n18,20,40,30,50,40\n')

    class Failing(torch.nn.Module):
        def forward(self, clip):
            raise RuntimeError('out of memory')

    restorer = Restorer(Failing(), torch.device('cpu'), window=4, overlap=0, size=64)
    masks = masks_from_boxes(read_boxes(boxes), probe(source))
    with pytest.raises(RuntimeError), VideoRewriter(source, target) as rewriter:
        restore_video(rewriter, restorer, masks)
    assert rewriter.partial == tmp_path / 'out-partial.mp4'
    assert len(read_frames(rewriter.partial)) == 16
    common = ['--input', source, '--checkpoint', whitening, '--output', target, '--boxes', boxes]
    common += ['--device', 'cpu', '--window', 4, '--overlap', 0]
    status, _, err = run_script_file(SCRIPT, *common)
    assert status == 1 and 'continue it with --resume' in err
    status, out, err = run_script_file(SCRIPT, *common, '--resume')
    assert status == 0 and 'continuing behind frame 16' in out and '8 frames in' in out
    assert not rewriter.partial.exists()
    before, after = read_frames(source).astype(int), read_frames(target)
    changed = np.abs(before - after)[:, 40:60, 50:80].mean(axis=(1, 2, 3)) > 20
    assert np.flatnonzero(changed).tolist() == [18, 19, 20]


def test_script_errors(make_video, tmp_path, run_script_file, checkpoint, frames):
    source = make_video(images=frames[:3])
    target = tmp_path / 'out.mp4'
    boxes = tmp_path / 'boxes.csv'
    boxes.write_text('first,last,x,y,width,height\n0,,10,10,20,20\n')
    outside = tmp_path / 'outside.csv'
    outside.write_text('first,last,x,y,width,height\n0,,1000,10,20,20\n')
    folder = tmp_path / 'folder.mp4'
    folder.mkdir()
    common = ['--input', source, '--checkpoint', checkpoint, '--output', target]
    write_video(tmp_path / 'mask.mkv', np.zeros((3, 50, 60), np.uint8), 25)
    (tmp_path / 'other.pth').write_bytes(b'')
    torch.save({'state_dict': {'a.weight': torch.zeros(3)}}, tmp_path / 'other.pth')
    for args, message in (
        ([*common, '--mask', tmp_path / 'mask.mkv'], 'the mask is 60x50'),
        (
            [
                '--input',
                source,
                '--checkpoint',
                tmp_path / 'other.pth',
                '--output',
                target,
                '--boxes',
                boxes,
            ],
            'no BasicVSR++ weights',
        ),
        (
            [
                '--input',
                source,
                '--checkpoint',
                checkpoint,
                '--output',
                source,
                '--boxes',
                boxes,
                '--overwrite',
            ],
            'would replace an input',
        ),
        ([*common, '--boxes', boxes, '--size', '0'], '--size 0'),
        ([*common, '--boxes', outside], 'outside the picture'),
        ([*common[:-1], folder, '--boxes', boxes, '--overwrite'], 'a folder, not a file'),
    ):
        status, _, err = run_script_file(SCRIPT, *args)
        assert status == 1 and message in err and err.count('\n') == 1
    assert not target.exists()


def test_only_masked_pixels_change(make_video, tmp_path, painter, frames):
    """The contract before encoding, seen through a lossless encoder."""
    source = make_video('in.mkv', codec='ffv1', options={}, images=frames)
    masks = np.zeros(frames.shape[:3], bool)
    masks[3:20, 31:70, 41:90] = True
    with VideoRewriter(
        source, tmp_path / 'out.mkv', codec='ffv1', options={}, threads=1
    ) as rewriter:
        summary = restore_video(
            rewriter, Restorer(painter, torch.device('cpu'), window=8, overlap=2), iter(masks)
        )
    assert summary.frames == len(frames)
    before, after = read_frames(source, gray=True), read_frames(tmp_path / 'out.mkv', gray=True)
    assert np.array_equal(before[~masks], after[~masks])
    assert (after[3:20, 40:60, 50:80] == 255).all()


def test_nothing_masked_is_a_copy(make_video, tmp_path, painter, frames):
    source = make_video('in.mkv', codec='ffv1', options={})
    masks = iter(np.zeros(frames.shape[:3], bool))
    with VideoRewriter(source, tmp_path / 'out.mkv', codec='ffv1', options={}) as rewriter:
        summary = restore_video(rewriter, Restorer(painter, torch.device('cpu')), masks)
    assert summary.notes == ['no frame has a masked pixel: nothing was restored']
    assert np.array_equal(read_frames(source), read_frames(tmp_path / 'out.mkv'))


def test_self_test_measures_the_truth(frames):
    mask = np.zeros(frames.shape[1:3], bool)
    mask[30:80, 40:100] = True
    mosaic = SyntheticMosaic(8)
    for frame in frames[:3]:
        drawn, covered = mosaic.draw(frame, mask)
        mosaic.measure(frame, drawn, frame, covered)
    lines = mosaic.table().splitlines()
    assert '+inf' in lines[-1] and '1.0000' in lines[-1]
    assert float(lines[2].split()[1]) > float(lines[1].split()[2])
    assert 'No frame' in SyntheticMosaic(8).table()


def test_block_size_suits_the_region(bikes):
    frame = read_frames(bikes, 0, 1)[0]
    mask = np.zeros(frame.shape[:2], bool)
    mask[60:200, 200:400] = True
    mosaic = SyntheticMosaic()
    drawn, covered = mosaic.draw(frame, mask)
    assert 5 <= mosaic.block_size <= 25 and (drawn != frame).any() and covered.any()
    assert mosaic.draw(frame, np.zeros_like(mask))[0] is frame


def test_boxes(tmp_path, make_video):
    path = tmp_path / 'boxes.csv'
    path.write_text('first, last, x, y, width, height\n1,2,-5,4,10,6\n2,,100,100,99,99\n')
    masks = masks_from_boxes(read_boxes(path), probe(make_video()))
    none, one, both, *_, last = (next(masks) for _ in range(6))
    assert not none.any()
    assert one.sum() == 5 * 6 and one[4:10, :5].all()
    assert both.sum() == 30 + 12 * 44 and last.sum() == 12 * 44


def test_boxes_as_creation_takes_them(tmp_path, make_video):
    source, path = make_video(), tmp_path / 'boxes.jsonl'
    lines = [
        {'video': source.name, 'frame': 1, 'box': [10, 20, 30, 30]},
        {'video': source.name, 'frame': 3, 'box': [14, 20, 34, 30]},
        {'frame': 3, 'box': [0, 0, 5, 5]},
        {'video': 'other.mp4', 'frame': 0, 'box': [0, 0, 9000, 9]},
    ]
    path.write_text(''.join(json.dumps(line) + '\n' for line in lines))
    masks = masks_from_boxes(read_boxes(path), probe(source))
    none, one, two, three, last = (next(masks) for _ in range(5))
    assert not none.any() and not last.any()
    assert one.sum() == 200 and one[20:30, 10:30].all()
    assert two.sum() == 200 and two[20:30, 12:32].all()
    assert three.sum() == 225 and three[:5, :5].all()
    path.write_text(json.dumps(lines[-1]))
    read_boxes.cache_clear()
    with pytest.raises(LadaError, match=f'no boxes of {source.name}'):
        masks_from_boxes(read_boxes(path), probe(source))


@pytest.mark.parametrize('count', [3, 5])
def test_a_mask_of_another_length(make_video, frames, count):
    video = probe(make_video(images=frames[:4]))
    mask = make_video('mask.mkv', codec='ffv1', options={}, images=frames[:count])
    with pytest.raises(LadaError, match=f'the mask has {count} frames and the video 4'):
        masks_from_video(mask, video)


@pytest.mark.parametrize(
    'arguments',
    [
        dict(num_blocks=3, is_low_res_input=False, head_channels=64, deform_groups=16),
        dict(num_blocks=1, is_low_res_input=True, head_channels=8, deform_groups=4),
        dict(
            type='MosaicGuidedNet',
            num_blocks=1,
            head_channels=8,
            deform_groups=4,
            flow_channels=[4, 8, 6, 2],
        ),
    ],
)
def test_sizes_are_read_from_the_weights(arguments):
    arguments = dict(type='BasicVSRPlusPlusNet', mid_channels=8) | arguments
    weights = MODELS.build(arguments).state_dict()
    assert architecture_of(weights, 'x') == arguments
    restorer = {f'module.generator.{key}': value for key, value in weights.items()} | {
        'step_counter': torch.zeros(1)
    }
    assert networks_of(restorer)['generator_ema'].keys() == weights.keys()
