"""LPIPS through TorchMetrics, and its absence in one line."""

import sys

import cv2
import numpy as np
import pytest
import torch
import torchmetrics
from torchvision.models import alexnet

from lada.errors import LadaError
from lada.evaluation import MosaicGain
from lada.evaluation.scores.lpips import LPIPS

MEAN, STD = (
    torch.tensor(values)[:, None, None]
    for values in ((-0.030, -0.088, -0.188), (0.458, 0.448, 0.450))
)


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    """AlexNet's convolutions with random weights, as torchvision names them."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('weights') / 'alexnet.pth'
    state = alexnet(weights=None).state_dict()
    torch.save({key: value for key, value in state.items() if key.startswith('features.')}, path)
    return path


def lpips(a, b, weights):
    """The definition: squared differences of unit-length features after each ReLU, weighted and
    averaged.
    """
    features = torch.nn.Sequential(*alexnet(weights=None).features).eval()
    features.load_state_dict(
        {key.removeprefix('features.'): value for key, value in torch.load(weights).items()}
    )
    file = f'{torchmetrics.__path__[0]}/functional/image/lpips_models/alex.pth'
    linear = [
        value.flatten()[:, None, None] for value in torch.load(file, map_location='cpu').values()
    ]
    a, b = (((torch.from_numpy(x).permute(2, 0, 1) / 127.5 - 1) - MEAN) / STD for x in (a, b))
    total = 0.0
    for layer in features:
        a, b = layer(a), layer(b)
        if isinstance(layer, torch.nn.ReLU):
            difference = torch.nn.functional.normalize(a, dim=0) - torch.nn.functional.normalize(
                b, dim=0
            )
            total += (difference**2 * linear.pop(0)).sum(0).mean().item()
    return total


def test_is_what_the_definition_says(weights, clip):
    clean, mosaic, _ = clip
    distance = LPIPS(weights).distance
    assert distance(clean, clean) == 0
    with torch.inference_mode():
        expected = np.mean([lpips(a, b, weights) for a, b in zip(mosaic, clean, strict=True)])
    assert distance(mosaic, clean) == pytest.approx(expected, rel=1e-4)


def test_sees_the_region_and_what_is_around_it(reference, clip):
    _, mosaic, masks = clip
    seen = []

    class Shapes(LPIPS):
        def __init__(self):
            pass

        def distance(self, frames, gt):
            seen.append((frames.shape, gt.shape))
            return 0.25

    assert reference.measure(mosaic, [Shapes()]) == {'lpips': 0.25}
    _, _, width, height = cv2.boundingRect(masks.max(axis=0))
    assert seen == [((6, height + 16, width + 16, 3),) * 2]


def test_in_training(weights, make_sample):
    metric = MosaicGain(lpips_weights=weights)
    metric.process(None, [make_sample()])
    values = metric.evaluate(1)
    assert (
        values['mosaic/lpips_model']
        == values['mosaic/lpips_input']
        > 0
        < values['mosaic/lpips_bicubic']
    )


def test_other_weights(tmp_path):
    torch.save({'features.0.weight': torch.zeros(1)}, tmp_path / 'a.pth')
    with pytest.raises(LadaError, match='no AlexNet weights'):
        LPIPS(tmp_path / 'a.pth')


def test_without_the_library(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, 'torchmetrics', None)
    monkeypatch.setitem(sys.modules, 'torchmetrics.functional.image.lpips', None)
    with pytest.raises(LadaError, match='install it'):
        LPIPS(tmp_path / 'alexnet.pth')
