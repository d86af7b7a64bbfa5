"""What only a GPU can show. Where there is none these tests are deselected; LADA_TEST_DEVICE=cpu
runs them on the processor, to try the tests themselves.
"""

import os
from pathlib import Path

import pytest
import torch

DEVICE = os.environ.get('LADA_TEST_DEVICE', 'cuda')


def pytest_collection_modifyitems(config, items):
    if DEVICE != 'cuda' or torch.cuda.is_available():
        return
    here = Path(__file__).parent
    dropped = [item for item in items if here in item.path.parents]
    items[:] = [item for item in items if item not in dropped]
    config.hook.pytest_deselected(items=dropped)


@pytest.fixture
def device(monkeypatch) -> torch.device:
    """Where the tests compute, in float32 without the shortcuts that cuDNN takes."""
    if DEVICE == 'cuda':
        monkeypatch.setattr(torch.backends.cudnn, 'allow_tf32', False)
        monkeypatch.setattr(torch.backends.cuda.matmul, 'allow_tf32', False)
    return torch.device(DEVICE)
