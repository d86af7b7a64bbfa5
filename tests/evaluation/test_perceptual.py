"""LPIPS: absent is said in one line."""

import sys

import pytest
import torch

from lada.errors import LadaError
from lada.evaluation.perceptual import Perceptual


def test_without_the_library(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, 'torchmetrics', None)
    monkeypatch.setitem(sys.modules, 'torchmetrics.functional.image.lpips', None)
    with pytest.raises(LadaError, match='install it'):
        Perceptual(tmp_path / 'alexnet.pth', torch.device('cpu'))
