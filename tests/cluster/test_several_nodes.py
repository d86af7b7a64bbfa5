"""Restoring a video with the tasks of a SLURM step, on two nodes."""

import subprocess
import sys

import numpy as np

from lada.video import read_frames

RESTORE = 'scripts/evaluation/restore-video.py'


def test_a_video_is_restored_by_two_nodes(slurm, make_video, repo_root, tmp_path):
    options = ['--input', make_video(), '--method', 'interpolate', '--synthesize-mosaic']
    # x264 writes other bytes where it may use other numbers of cores.
    options += ['--window', '6', '--overlap', '2', '--codec', 'ffv1']
    command = [sys.executable, repo_root / RESTORE, *options]
    subprocess.run([*command, '--output', tmp_path / 'one.mkv'], check=True)
    said = slurm.run(
        *('srun', '--nodes=2', '--ntasks=2', '--ntasks-per-node=1', *command),
        *('--output', tmp_path / 'two.mkv', '--launcher', 'slurm'),
    )
    assert said.count('frames/s') == 1
    one, two = (read_frames(tmp_path / name) for name in ('one.mkv', 'two.mkv'))
    assert np.array_equal(one, two)
