"""Pictures, videos and scores at every validation."""

import logging
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import BaseDataElement
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lada.data import MosaicVideoDataset
from lada.engine import PicturesHook, Visualizer
from lada.engine.history import History
from lada.evaluation import MosaicGain
from lada.evaluation.results import Evaluation
from lada.video import probe, read_frames
from tests.conftest import make_clips


@pytest.fixture
def sample(frames):
    """A predicted sample of 12 frames of 144x112."""

    def tensor(clip):
        return torch.from_numpy(np.ascontiguousarray(clip[:12])).permute(0, 3, 1, 2)

    mask = torch.zeros(12, 112, 144, dtype=torch.uint8)
    mask[:, 30:80, 40:100] = 255
    return BaseDataElement(
        gt_img=tensor(frames),
        pred_img=tensor(frames).float() + 0.2,
        input=tensor(frames // 2),
        mosaic_mask=mask,
        metainfo=dict(key='a.mp4-000001', gt_path='a.mp4', clip_start=0, fps=25.0),
    )


@pytest.fixture
def runner(tmp_path):
    metric = MosaicGain()
    visualizer = Visualizer.get_instance(
        tmp_path.name, vis_backends='TensorboardVisBackend', save_dir=str(tmp_path / 'log')
    )
    visualizer.continue_from(History(tmp_path))
    return SimpleNamespace(
        log_dir=str(tmp_path / 'log'),
        iter=0,
        logger=logging.getLogger('test'),
        cfg=SimpleNamespace(filename='c.py'),
        val_loop=SimpleNamespace(
            evaluator=SimpleNamespace(metrics=[metric]),
            dataloader=SimpleNamespace(dataset=range(3)),
        ),
        visualizer=visualizer,
    )


def validate(hook, runner, sample, step):
    runner.iter = step
    hook.before_val_epoch(runner)
    (metric,) = runner.val_loop.evaluator.metrics
    for index in range(3):
        metric.process(None, [{**sample.to_dict(), 'clip_start': index}])
        hook.after_val_iter(runner, index, outputs=[sample])
    hook.after_val_epoch(runner, metrics=metric.evaluate(3))


def test_files_are_what_they_say_and_bounded(runner, sample, frames, tmp_path):
    hook = PicturesHook(num_clips=2, num_frames=2, video_frames=8, max_side=72, keep=2)
    for step in (100, 200, 1000):
        validate(hook, runner, sample, step)
    root = tmp_path / 'log' / 'validation'
    assert sorted(path.name for path in root.iterdir()) == ['iter_1000', 'iter_200']
    folder = root / 'iter_1000'
    assert sorted(path.name for path in folder.iterdir()) == [
        'clip_0.mp4',
        'clip_0.png',
        'clip_1.mp4',
        'clip_1.png',
        'clips.csv',
        'evaluation.json',
    ]
    strip = cv2.cvtColor(cv2.imread(str(folder / 'clip_0.png')), cv2.COLOR_BGR2RGB)
    assert strip.shape == (2 * 22 + 2 * 60, 3 * 76, 3)
    truth = cv2.resize(frames[3], (72, 56), interpolation=cv2.INTER_AREA)
    assert np.array_equal(strip[44:100, 152:224], truth) and np.array_equal(
        strip[44:100, 76:148], truth
    )
    video = read_frames(folder / 'clip_0.mp4')
    assert len(video) == 8 and probe(folder / 'clip_0.mp4').fps == 25
    assert (
        np.abs(
            video[0][22:78, 152:224].astype(int)
            - cv2.resize(frames[0], (72, 56), interpolation=cv2.INTER_AREA)
        ).mean()
        < 4
    )
    evaluation = Evaluation.from_file(folder / 'evaluation.json')
    assert len(evaluation.clips) == 3 and evaluation.total('model', 'gain') > 10


def test_tensorboard_gets_strips_and_animations(runner, sample, tmp_path):
    validate(PicturesHook(num_clips=1), runner, sample, 300)
    runner.visualizer.close()
    events = EventAccumulator(str(tmp_path / 'tensorboard'))
    events.Reload()
    name = 'a.mp4-000001'
    assert sorted(events.Tags()['images']) == [f'pictures/{name}', f'videos/{name}']
    (animation,) = events.Images(f'videos/{name}')
    assert animation.step == 300 and animation.encoded_image_string[:4] == b'\x89PNG'
    assert b'acTL' in animation.encoded_image_string


def test_a_picture_carries_name_and_gain(runner, sample, tmp_path):
    """A picture whose clip has another gain differs in its title alone."""
    strips = []
    for step, gain in ((1, 12.5), (2, -0.25)):
        hook = PicturesHook(num_clips=1)
        runner.iter = step
        hook._show(runner, sample, gain, 0)
        path = tmp_path / 'log' / 'validation' / f'iter_{step}' / 'clip_0.png'
        strips.append(cv2.imread(str(path)).astype(int))
    differs = np.abs(strips[0] - strips[1]).max(axis=(1, 2)) > 0
    assert differs[:22].any() and not differs[22:].any()


def test_clips_are_spread_over_the_sources(tmp_path, bikes, runner, sample):
    root = tmp_path / 'val'
    make_clips(root, bikes, 4)
    other = tmp_path / 'another.mp4'
    other.symlink_to(bikes)
    make_clips(root, other, 1)
    dataset = MosaicVideoDataset(root / 'crop_unscaled_meta', num_frame=2)
    names = [dataset.stem(index) for index in range(len(dataset))]
    assert [name.rpartition('-')[0] for name in names] == ['another.mp4', *['bikes.mp4'] * 4]
    runner.val_loop.dataloader.dataset = dataset
    hook = PicturesHook(num_clips=3)
    hook.before_val_epoch(runner)
    chosen = [names[index] for index in hook._chosen]
    assert chosen[0].startswith('another.mp4') and len(set(chosen)) == 3


def test_what_cannot_be_written_does_not_end_the_training(runner, sample, tmp_path, caplog):
    (tmp_path / 'log').write_text('a file where the folder should be')
    validate(PicturesHook(num_clips=1), runner, sample, 5)
    assert sum('No picture' in record.message for record in caplog.records) == 2
