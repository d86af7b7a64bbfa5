"""Moving a model to where it computes."""

from typing import TypeVar

import torch
from torch import nn

Model = TypeVar('Model', bound=nn.Module)


def place(model: Model, device: torch.device | str) -> Model:
    """Move a model to ``device``.

    On a GPU the weights of its convolutions are stored channels last, as tensor cores take them,
    and activations follow. Keys, shapes and values stay what they are.
    """
    device = torch.device(device)
    model = model.to(device)
    return model.to(memory_format=torch.channels_last) if device.type == 'cuda' else model
