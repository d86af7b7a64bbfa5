"""Weights in safetensors files; ``by_the_library.safetensors`` was written by safetensors 0.8.0."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from lada.checkpoints.exporting import export_weights
from lada.checkpoints.reading import load_state_dict_file
from lada.checkpoints.safetensors_format import (
    read_architecture,
    read_safetensors,
    safetensors_bytes,
)
from lada.errors import LadaError
from lada.inference.loading import load_generator
from lada.models import BasicVSRPlusPlusNet

WRITTEN = Path(__file__).parent / 'by_the_library.safetensors'
TENSORS = {
    'generator.a': torch.arange(6, dtype=torch.float32).reshape(2, 3) / 4,
    'generator.half': torch.tensor([1.5, -2], dtype=torch.bfloat16),
    'f16': torch.tensor([0.25], dtype=torch.float16),
    'count': torch.tensor(7),
    'flags': torch.tensor([True, False, True]),
    'empty': torch.zeros(0, 3),
    'bytes': torch.arange(5, dtype=torch.uint8),
}


def same(a, b):
    return a.keys() == b.keys() and all(
        torch.equal(a[key], b[key]) and a[key].dtype == b[key].dtype for key in a
    )


def test_what_the_library_wrote_is_read():
    assert same(load_state_dict_file(WRITTEN), TENSORS)


def test_what_is_written_is_read_again(tmp_path):
    (tmp_path / 'a.safetensors').write_bytes(safetensors_bytes(TENSORS))
    assert same(read_safetensors(tmp_path / 'a.safetensors'), TENSORS)


def test_exported_weights_restore(tmp_path):
    generator = BasicVSRPlusPlusNet(mid_channels=8, num_blocks=1, is_low_res_input=False)
    state = {f'generator.{key}': value for key, value in generator.state_dict().items()}
    torch.save(dict(state_dict=state), tmp_path / 'iter_1.pth')
    output = tmp_path / 'weights.safetensors'
    assert export_weights(tmp_path / 'iter_1.pth', output) == len(state)
    assert load_state_dict_file(output).keys() == state.keys()
    assert read_architecture(output) == dict(
        type='BasicVSRPlusPlusNet',
        mid_channels=8,
        num_blocks=1,
        is_low_res_input=False,
        head_channels=64,
        deform_groups=16,
    )
    loaded = load_generator(output, torch.device('cpu'))
    assert same(dict(loaded.state_dict()), dict(generator.state_dict()))
    with pytest.raises(LadaError, match='--overwrite'):
        export_weights(tmp_path / 'iter_1.pth', output)


def test_damage_is_one_line(tmp_path):
    data, path = WRITTEN.read_bytes(), tmp_path / 'bad.safetensors'
    rng = np.random.default_rng(0)
    header = int.from_bytes(data[:8], 'little')
    for cut in (0, 5, 8, 40, 8 + header, len(data) - 1):
        path.write_bytes(data[:cut])
        with pytest.raises(LadaError, match='damaged weight file'):
            read_safetensors(path)
    for _ in range(200):
        changed = bytearray(data)
        changed[rng.integers(8 + header)] = rng.integers(256)
        path.write_bytes(changed)
        try:
            read_safetensors(path)
        except LadaError as error:
            assert '\n' not in str(error)
    for entry in (
        {'dtype': 'F32', 'shape': [-1], 'data_offsets': [0, 4]},
        {'dtype': 'F32', 'shape': [2**60], 'data_offsets': [0, 4]},
        {'dtype': 'X', 'shape': [1], 'data_offsets': [0, 4]},
        {'dtype': 'F32', 'shape': [1], 'data_offsets': [-4, 0]},
    ):
        text = json.dumps({'a': entry}).encode()
        path.write_bytes(len(text).to_bytes(8, 'little') + text + bytes(4))
        with pytest.raises(LadaError, match='damaged weight file'):
            read_safetensors(path)
