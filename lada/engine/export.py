"""Reducing a training checkpoint to what inference needs."""

import io
from pathlib import Path

import torch

from lada.errors import LadaError
from lada.files import write_atomically
from lada.weights import load_weights_file


def export_weights(checkpoint: Path, output: Path, overwrite: bool = False) -> int:
    """Write the generator's weights of a training checkpoint; returns the number of tensors.

    The keys stay those of ``BasicVSR`` (``generator.…`` and ``step_counter``), so that the file also loads strictly
    into MMagic's and public Lada's restorer. Averaged weights (``generator_ema.…``) take the place of the plain ones.
    """
    if output.exists() and not overwrite:
        raise LadaError(f'{output} exists; choose another name or give --overwrite')
    state_dict = load_weights_file(checkpoint)
    state_dict = state_dict.get('state_dict', state_dict)
    generator = {key: value for key, value in state_dict.items() if key.startswith('generator.')}
    if not generator:
        raise LadaError(f'{checkpoint} holds no generator.* weights; give a checkpoint written by training')
    for key, value in state_dict.items():
        if key.startswith('generator_ema.'):
            generator[key.replace('generator_ema.', 'generator.', 1)] = value
    counter = state_dict.get('step_counter', torch.zeros(1))
    buffer = io.BytesIO()
    torch.save(dict(state_dict={**generator, 'step_counter': counter}), buffer)
    write_atomically(output, buffer.getvalue())
    return len(generator)
