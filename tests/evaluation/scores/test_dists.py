"""DISTS through TorchMetrics."""

import numpy as np
import pytest
import torch
from torchmetrics.functional.image import deep_image_structure_and_texture_similarity
from torchvision.models import VGG16_Weights, vgg16

from lada.evaluation.scores.dists import DISTS


@pytest.fixture
def hub(tmp_path):
    """A cache of torch.hub for this test alone."""
    before = torch.hub.get_dir()
    torch.hub.set_dir(tmp_path)
    yield tmp_path
    torch.hub.set_dir(before)


@pytest.mark.slow
def test_is_what_torchmetrics_computes(vgg16_file, clip, hub):
    clean, mosaic, _ = clip
    # More frames than a batch.
    clean, mosaic = np.concatenate([clean, clean[:3]]), np.concatenate([mosaic, mosaic[:3]])
    compare = DISTS(vgg16_file).compare
    assert compare(clean, clean) == pytest.approx(0, abs=1e-5)
    distance = compare(mosaic, clean)
    assert distance > 1e-3

    # The documented way: torchvision finds its file in the cache.
    (hub / 'checkpoints').mkdir()
    with torch.device('meta'):
        shapes = {key: value.shape for key, value in vgg16().state_dict().items()}
    state = {key: torch.zeros(()).expand(shape) for key, shape in shapes.items()}
    state |= torch.load(vgg16_file)
    torch.save(state, hub / 'checkpoints' / VGG16_Weights.DEFAULT.url.rpartition('/')[2])
    pictures = (torch.from_numpy(x).permute(0, 3, 1, 2) / 255 for x in (mosaic, clean))
    expected = deep_image_structure_and_texture_similarity(*pictures, 'mean')
    assert distance == pytest.approx(expected.item(), rel=1e-3)
