"""What the perceptual scores see, and what they say before anything is measured."""

import sys

import cv2
import numpy as np
import pytest
import torch

from lada.errors import LadaError
from lada.evaluation.scores.dists import DISTS
from lada.evaluation.scores.lpips import LPIPS
from lada.evaluation.scores.perceptual import PerceptualScore
from lada.evaluation.scores.vmaf import VMAF

NETWORKS = [(LPIPS, 'alexnet', 'alexnet-owt-7be5be79.pth'), (DISTS, 'vgg16', 'vgg16-397923af.pth')]


def test_sees_the_region_and_what_is_around_it(reference, clip):
    _, mosaic, masks = clip
    seen = []

    class Shapes(PerceptualScore):
        name = 'shapes'

        def compare(self, frames, gt):
            seen.append((frames.shape, gt.shape))
            return 0.25

    assert reference.measure(mosaic, [Shapes()]) == {'shapes': 0.25}
    _, _, width, height = cv2.boundingRect(masks.max(axis=0))
    assert seen == [((6, height + 16, width + 16, 3),) * 2]


@pytest.mark.parametrize(('score', 'network', 'published'), NETWORKS)
def test_a_missing_file_is_named_with_its_source(tmp_path, score, network, published):
    with pytest.raises(LadaError) as caught:
        score(tmp_path / 'none.pth')
    text = str(caught.value)
    assert f'{score.title}: no such weight file: {tmp_path / "none.pth"}' in text
    assert f'https://download.pytorch.org/models/{published}' in text and '\n' not in text


@pytest.mark.parametrize(('score', 'network', 'published'), NETWORKS)
def test_other_weights_are_named(tmp_path, score, network, published):
    torch.save({'features.0.weight': torch.zeros(1)}, tmp_path / 'a.pth')
    with pytest.raises(LadaError, match=f'no weights of {network}: .*features.0.weight') as caught:
        score(tmp_path / 'a.pth')
    assert published in str(caught.value)


@pytest.mark.parametrize('module', ['torchmetrics', 'vmaf_torch', 'einops'])
def test_without_a_library(monkeypatch, tmp_path, module):
    for name in [module, *(name for name in sys.modules if name.startswith(f'{module}.'))]:
        monkeypatch.setitem(sys.modules, name, None)
    scores = [VMAF]
    if module == 'torchmetrics':
        scores += [lambda: LPIPS(tmp_path / 'a.pth'), lambda: DISTS(tmp_path / 'b.pth')]
    for score in scores:
        with pytest.raises(LadaError, match=f'needs the package {module}; run: pip install torchm'):
            score()


def test_nothing_else_changes(alexnet_file):
    hub = torch.hub.get_dir()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    LPIPS(alexnet_file)
    assert torch.equal(torch.rand(3), expected)
    assert torch.hub.get_dir() == hub


def test_a_file_that_runs_code_is_refused(tmp_path):
    torch.save({'features.0.weight': print}, tmp_path / 'a.pth')
    with pytest.raises(LadaError, match='refused'):
        LPIPS(tmp_path / 'a.pth')


def test_one_frame(alexnet_file, clip):
    clean, mosaic, _ = clip
    for score in (LPIPS(alexnet_file), VMAF()):
        assert np.isfinite(score.compare(mosaic[:1], clean[:1]))
