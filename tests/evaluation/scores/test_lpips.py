"""LPIPS through TorchMetrics."""

import numpy as np
import pytest
import torch
import torchmetrics
from torchvision.models import alexnet

from lada.evaluation import MosaicGain
from lada.evaluation.scores.lpips import LPIPS

MEAN, STD = (
    torch.tensor(values)[:, None, None]
    for values in ((-0.030, -0.088, -0.188), (0.458, 0.448, 0.450))
)


@pytest.fixture(scope='module')
def features(alexnet_file):
    with torch.device('meta'):
        layers = alexnet().features
    state = {key.removeprefix('features.'): x for key, x in torch.load(alexnet_file).items()}
    layers.load_state_dict(state, assign=True)
    return layers


def lpips(a, b, features):
    """The definition: squared differences of unit-length features after each ReLU, weighted and
    averaged.
    """
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


def test_is_what_the_definition_says(alexnet_file, features, clip):
    clean, mosaic, _ = clip
    # More frames than a batch.
    clean, mosaic = np.concatenate([clean, clean[:5]]), np.concatenate([mosaic, mosaic[:5]])
    compare = LPIPS(alexnet_file).compare
    assert compare(clean, clean) == 0
    with torch.inference_mode():
        expected = np.mean([lpips(a, b, features) for a, b in zip(mosaic, clean, strict=True)])
    assert compare(mosaic, clean) == pytest.approx(expected, rel=1e-4)


def test_in_training(alexnet_file, make_sample):
    metric = MosaicGain(lpips_weights=alexnet_file)
    metric.process(None, [make_sample()])
    values = metric.evaluate(1)
    assert (
        values['mosaic/lpips_model']
        == values['mosaic/lpips_input']
        > 0
        < values['mosaic/lpips_bicubic']
    )
