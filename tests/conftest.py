"""Fixtures shared by all tests: the shipped videos and threads pinned for a small machine."""

from pathlib import Path

import cv2
import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope='session', autouse=True)
def _pin_threads():
    cv2.setNumThreads(0)
    torch.set_num_threads(2)


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
