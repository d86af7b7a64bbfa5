"""Fixtures shared by all tests: the shipped videos, a tiny dataset and config, and training as a real process."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope='session', autouse=True)
def _pin_threads():
    cv2.setNumThreads(0)
    # The tests run in one process per core.
    torch.set_num_threads(1)


@pytest.fixture(scope='session', autouse=True)
def _let_children_be_interrupted():
    # A shell starts background jobs with SIGINT ignored, and children would inherit that.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope='session')
def repo_root() -> Path:
    return ROOT


@pytest.fixture(scope='session')
def bikes(repo_root) -> Path:
    """640x272, 250 frames, several shots."""
    return repo_root / 'assets' / 'sample_videos' / 'bikes.mp4'


@pytest.fixture(scope='session')
def bunny(repo_root) -> Path:
    """1280x720, 132 frames, one shot."""
    return repo_root / 'assets' / 'sample_videos' / 'bigbuckbunny.mp4'


CONFIG = '''
_base_ = {demo!r}
work_dir = {work_dir!r}
model = dict(
    generator=dict(mid_channels=8, num_blocks=1),
    train_cfg=dict(fix_iter=3))
train_dataloader = dict(
    num_workers=0, persistent_workers=False,
    dataset=dict(metadata_root_dir={train!r}, num_frame=2))
val_dataloader = dict(
    num_workers=0, persistent_workers=False,
    dataset=dict(metadata_root_dir={val!r}, num_frame=2))
train_cfg = dict(max_iters=8, val_interval=4)
default_hooks = dict(
    checkpoint=dict(interval=2, max_keep_ckpts=-1, out_dir=None),
    logger=dict(interval=1))
'''


def make_clips(root: Path, video: Path, count: int, frames: int = 6, size: int = 64) -> Path:
    """Write ``count`` clips cut from ``video`` and return the metadata folder."""
    from lada.data import ClipMetadata
    from lada.mosaic import base_block_sizes
    from lada.video import clip_encoding, mask_encoding, read_frames, write_video

    masks = np.zeros((frames, size, size), np.uint8)
    masks[:, 16:48, 12:50] = 255
    for number in range(count):
        stem = f'{video.name}-{number:06d}'
        images = read_frames(video, 10 * number, 10 * number + frames)[:, 40:40 + size, 60:60 + size]
        paths = [root / folder / f'{stem}{suffix}' for folder, suffix in
                 (('crop_unscaled_img', '.mp4'), ('crop_unscaled_mask', '.mkv'), ('crop_unscaled_meta', '.json'))]
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
        write_video(paths[0], images, 25, **clip_encoding())
        write_video(paths[1], masks, 25, **mask_encoding())
        ClipMetadata(
            stem=stem, name=video.name, fps=25.0, frames_count=frames, orig_shape=(272, 640), scene_shape=(size, size),
            base_mosaic_block_size=base_block_sizes(masks, (272, 640)), pad=[[0, 0, 0, 0]] * frames,
            video_path=paths[0], mask_path=paths[1]).to_file(paths[2])
    return root / 'crop_unscaled_meta'


@pytest.fixture(scope='session')
def clips(tmp_path_factory, bikes, bunny) -> tuple[Path, Path]:
    """Metadata folders of five training and two validation clips."""
    root = tmp_path_factory.mktemp('clips')
    return make_clips(root / 'train', bikes, 5), make_clips(root / 'val', bunny, 2)


@pytest.fixture
def write_config(tmp_path, clips, repo_root):
    """Return a function that writes the tiny config for a work directory, with further text appended."""
    def write(work_dir: Path, extra: str = '') -> Path:
        path = tmp_path / f'{work_dir.name}.py'
        demo = repo_root / 'configs/basicvsrpp/mosaic_restoration_demo_cpu.py'
        values = dict(demo=str(demo), work_dir=str(work_dir), train=str(clips[0]), val=str(clips[1]))
        path.write_text(CONFIG.format(**values) + extra)
        return path
    return write


SCRIPT = 'scripts/training/train-mosaic-restoration-basicvsrpp.py'


@pytest.fixture
def start_training(repo_root):
    """Return a function that starts the training script as a process of its own (of two under torchrun)."""
    processes = []

    def start(*args, torchrun: bool = False, **environment) -> subprocess.Popen:
        command = [sys.executable]
        if torchrun:
            command += ['-m', 'torch.distributed.run', '--standalone', '--nproc-per-node=2']
        command += [SCRIPT, *map(str, args)] + (['--launcher', 'pytorch'] if torchrun else [])
        process = subprocess.Popen(
            command, cwd=repo_root, env={**os.environ, 'OMP_NUM_THREADS': '1', **environment},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, 9)
            process.wait()


@pytest.fixture
def run_training(start_training):
    """Return a function that runs the training script to its end: ``(exit status, stdout, stderr)``."""
    def run(*args, **options):
        process = start_training(*args, **options)
        out, err = process.communicate(timeout=300)
        return process.returncode, out, err
    return run
