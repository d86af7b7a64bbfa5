"""The ground truth of the clip, its built-in scores, and weights of networks in torchvision's
form.
"""

import pytest
import torch
from torchvision.models import get_model

from lada.evaluation.scores import ClipReference, build_scores


@pytest.fixture(scope='session')
def reference(clip):
    clean, _, masks = clip
    return ClipReference(clean, masks != 0)


@pytest.fixture(scope='session')
def measure(reference):
    """Return a function that measures a restoration of the clip."""
    scores = build_scores()
    return lambda frames: reference.measure(frames, scores)


def save_convolutions(network, folder):
    """Write random convolutions as torchvision names them; the classifier is not needed."""
    torch.manual_seed(0)
    with torch.device('meta'):
        features = get_model(network).features
    features.to_empty(device='cpu')
    for layer in features:
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(layer.weight, nonlinearity='relu')
            torch.nn.init.normal_(layer.bias, std=0.1)
    path = folder / f'{network}.pth'
    torch.save({f'features.{key}': value for key, value in features.state_dict().items()}, path)
    return path


@pytest.fixture(scope='session')
def alexnet_file(tmp_path_factory):
    return save_convolutions('alexnet', tmp_path_factory.mktemp('weights'))


@pytest.fixture(scope='session')
def vgg16_file(tmp_path_factory):
    return save_convolutions('vgg16', tmp_path_factory.mktemp('weights'))
