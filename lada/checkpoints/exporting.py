"""Weight files made from training checkpoints."""

import io
from contextlib import suppress
from pathlib import Path

import torch

from lada.checkpoints.architecture import architecture_of
from lada.checkpoints.fitting import part_of
from lada.checkpoints.reading import load_state_dict_file
from lada.checkpoints.safetensors_format import SUFFIX, safetensors_bytes
from lada.errors import LadaError
from lada.files import refuse_to_replace, write_atomically


def export_weights(checkpoint: Path, output: Path, overwrite: bool = False) -> int:
    """Write the generator's weights of a training checkpoint; returns the number of tensors.

    Averaged weights (``generator_ema.…``) take the place of the plain ones. They are written under
    both names, at the size of one: public Lada's applications infer with ``generator_ema.…`` and
    do not say when it is missing, others read ``generator.…``. A file named ``.safetensors``, a
    format that holds nothing twice, has ``generator.…`` alone.
    """
    refuse_to_replace([output], overwrite)
    state_dict, generator = _read(checkpoint)
    generator |= {
        key.replace('generator_ema.', 'generator.', 1): value
        for key, value in state_dict.items()
        if key.startswith('generator_ema.')
    }
    if output.suffix.lower() == SUFFIX:
        architecture = None
        with suppress(LadaError):  # another network's sizes are not read from its weights
            architecture = architecture_of(part_of(generator, 'generator'), checkpoint)
        write_atomically(output, safetensors_bytes(generator, architecture))
        return len(generator)
    step_counter = state_dict.get('step_counter', torch.zeros(1))
    _write(output, {**_both(generator), 'step_counter': step_counter})
    return len(generator)


def convert_to_stage2(checkpoint: Path, output: Path, overwrite: bool = False) -> int:
    """Write a stage 1 checkpoint's weights as generator and averaged generator of stage 2; returns
    their number.
    """
    refuse_to_replace([output], overwrite)
    _, generator = _read(checkpoint)
    weights = _both(generator)
    _write(output, weights)
    return len(weights)


def _both(generator: dict) -> dict:
    """Add the averaged generator's names to a generator's weights; the tensors are shared, and
    ``torch.save`` writes them once.
    """
    return generator | {
        key.replace('generator.', 'generator_ema.', 1): value for key, value in generator.items()
    }


def _read(checkpoint: Path) -> tuple[dict, dict]:
    state_dict = load_state_dict_file(checkpoint)
    generator = {key: value for key, value in state_dict.items() if key.startswith('generator.')}
    if not generator:
        raise LadaError(
            f'{checkpoint} holds no generator.* weights; give a checkpoint written by training'
        )
    return state_dict, generator


def _write(output: Path, state_dict: dict) -> None:
    buffer = io.BytesIO()
    torch.save(dict(state_dict=state_dict), buffer)
    write_atomically(output, buffer.getvalue())
