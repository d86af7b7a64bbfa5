"""The rules of the golden vectors (see the README beside them): weights and inputs as functions of
a name or seed.
"""

import json
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import BaseDataElement

FOLDER = Path(__file__).resolve().parents[1] / 'golden'


def load(name: str) -> dict:
    with np.load(FOLDER / f'{name}.npz') as archive:
        data = {key: archive[key] for key in archive.files}
    if 'meta' in data:
        data['meta'] = json.loads(str(data['meta']))
    return data


def set_weights(module: torch.nn.Module, scale: float = 1.0) -> None:
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
            std = scale / parameter[0].numel() ** 0.5 if parameter.dim() > 1 else 0.01
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * std)


def rnd(seed: int, *shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def smooth_clip(seed: int, frames: int, height: int, width: int) -> torch.Tensor:
    clip = rnd(seed, 1, frames, 3, height, width)
    return F.avg_pool2d(clip[0], 9, 1, 4)[None]


def sample(metainfo: dict | None = None, **fields) -> BaseDataElement:
    return BaseDataElement(metainfo=metainfo, **fields)


@pytest.fixture(scope='session')
def golden() -> SimpleNamespace:
    return SimpleNamespace(load=load, set_weights=set_weights, rnd=rnd, smooth_clip=smooth_clip)


@pytest.fixture(scope='session')
def make_sample():
    return sample
