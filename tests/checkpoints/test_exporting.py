"""Exported weights hold the generator only, averaged where there is an average."""

import pytest
import torch

from lada.checkpoints.exporting import convert_to_stage2, export_weights
from lada.errors import LadaError


def test_export(tmp_path):
    state = {
        'generator.a': torch.zeros(20_000),
        'generator.b': torch.zeros(2),
        'generator_ema.a': torch.ones(20_000),
        'step_counter': torch.tensor([7.0]),
        'discriminator.c': torch.zeros(1),
    }
    torch.save(
        dict(meta={}, message_hub={}, optimizer={}, state_dict=state), tmp_path / 'iter_7.pth'
    )
    assert export_weights(tmp_path / 'iter_7.pth', tmp_path / 'out.pth') == 2
    exported = torch.load(tmp_path / 'out.pth', weights_only=True)
    assert list(exported) == ['state_dict']
    # Public Lada's applications infer with generator_ema; it is stored once.
    assert set(exported['state_dict']) == {
        *('generator.a', 'generator.b', 'generator_ema.a', 'generator_ema.b'),
        'step_counter',
    }
    assert exported['state_dict']['generator.a'].unique().tolist() == [1]
    assert exported['state_dict']['generator_ema.a'].unique().tolist() == [1]
    assert (tmp_path / 'out.pth').stat().st_size < 1.5 * 80_000
    with pytest.raises(LadaError, match='--overwrite'):
        export_weights(tmp_path / 'iter_7.pth', tmp_path / 'out.pth')


def test_a_file_without_a_generator(tmp_path):
    torch.save(dict(state_dict={'other': torch.zeros(1)}), tmp_path / 'x.pth')
    with pytest.raises(LadaError, match='no generator'):
        export_weights(tmp_path / 'x.pth', tmp_path / 'out.pth')


def test_stage_1_becomes_the_start_of_stage_2(tmp_path):
    state = {'generator.a': torch.ones(2), 'step_counter': torch.tensor([7.0])}
    torch.save(dict(meta={}, message_hub={}, state_dict=state), tmp_path / 'iter_7.pth')
    assert convert_to_stage2(tmp_path / 'iter_7.pth', tmp_path / 'out.pth') == 2
    converted = torch.load(tmp_path / 'out.pth', weights_only=True)['state_dict']
    assert {key: value.tolist() for key, value in converted.items()} == {
        'generator.a': [1, 1],
        'generator_ema.a': [1, 1],
    }
    with pytest.raises(LadaError, match='--overwrite'):
        convert_to_stage2(tmp_path / 'iter_7.pth', tmp_path / 'out.pth')
