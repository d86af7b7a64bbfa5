import pytest
import torch
from torch import nn

from lada.models.placement import place


@pytest.mark.parametrize('device', ['cpu', 'meta'])
def test_only_a_gpu_changes_the_layout(device):
    model = place(nn.Conv2d(3, 4, 3), device)
    assert model.weight.device.type == device
    assert model.weight.is_contiguous()


def test_a_gpu_gets_channels_last(monkeypatch):
    """Without one: the move itself is left out, what follows it is real."""
    to = nn.Module.to
    monkeypatch.setattr(
        nn.Module, 'to', lambda self, *args, **kwargs: to(self, **kwargs) if kwargs else self
    )
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Linear(4, 4))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    place(model, 'cuda')
    assert model[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
