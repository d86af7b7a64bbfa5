"""Finding sound checkpoints and fitting them to a model."""

import re
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

import torch
from mmengine.runner.checkpoint import get_state_dict
from mmengine.runner.checkpoint import load_state_dict as load_into_wrapped
from torch import nn

from lada.checkpoints.reading import load_weights_file
from lada.errors import LadaError
from lada.text import one_line

_ITERATION = re.compile(r'iter_(\d+)\.pth$')
LAST_CHECKPOINT = 'last_checkpoint'


def iteration_of(path: Path) -> int:
    """Return the iteration in ``iter_<n>.pth``, -1 for any other name."""
    match = _ITERATION.search(path.name)
    return int(match.group(1)) if match else -1


def damage_of(path: Path) -> str | None:
    """Return what is wrong with a checkpoint file, or ``None`` when it is sound.

    ``torch.save`` writes a ZIP archive with a CRC-32 for every record, which ``torch.load`` does
    not verify; this does, so a cut file and a flipped bit are both found.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
            return f'record {broken} is damaged' if broken else None
    except Exception as error:  # damaged headers raise errors of zipfile, zlib, struct and others
        return one_line(error)


def find_checkpoint(*folders: Path) -> tuple[Path | None, dict[Path, str]]:
    """Return the newest sound ``iter_<n>.pth`` of the folders, and the damaged ones that are newer
    with their damage.

    A ``last_checkpoint`` file in a folder may point to a further folder; it is a hint only, since a
    run can be killed between writing a checkpoint and writing the hint.
    """
    places = dict.fromkeys(Path(folder) for folder in folders)
    for folder in list(places):
        hint = folder / LAST_CHECKPOINT
        if hint.is_file():
            places[Path(hint.read_text(errors='replace').strip()).parent] = None
    candidates = {
        path.resolve(): path
        for place in places
        if place.is_dir()
        for path in place.glob('iter_*.pth')
    }
    damaged = {}
    for path in sorted(candidates.values(), key=iteration_of, reverse=True):
        if iteration_of(path) < 0:
            continue
        damage = damage_of(path)
        if damage is None:
            return path, damaged
        damaged[path] = damage
    return None, damaged


def load_training_checkpoint(path: Path) -> dict:
    """Load a checkpoint to resume from, on the CPU. Raises :class:`LadaError` for a damaged one or
    bare weights.
    """
    if not Path(path).is_file():
        raise LadaError(f'no checkpoint at {path}; give the path of an iter_<n>.pth file')
    damage = damage_of(Path(path))
    if damage:
        raise LadaError(f'checkpoint {path} is damaged ({damage}); resume from an earlier one')
    checkpoint = load_weights_file(str(path))
    missing = [key for key in ('meta', 'state_dict', 'message_hub') if key not in checkpoint]
    if missing:
        raise LadaError(
            f'checkpoint {path} has no {", ".join(missing)}, so it cannot be resumed from; '
            'start from its weights with --load-from'
        )
    return checkpoint


def fit_state_dict(model: nn.Module, state_dict: Mapping[str, torch.Tensor], where: str) -> None:
    """Load ``state_dict`` strictly into a model, itself or parts of it wrapped for data-parallel
    training or not.

    Raises :class:`LadaError` naming the first keys that do not fit.
    """
    own = get_state_dict(model)
    wrong = [
        f'{key} is {tuple(state_dict[key].shape)} there and {tuple(own[key].shape)} here'
        for key in own
        if key in state_dict and state_dict[key].shape != own[key].shape
    ]
    missing = [key for key in own if key not in state_dict]
    unexpected = [key for key in state_dict if key not in own]
    problems = [
        _summary(kind, keys)
        for kind, keys in (
            ('other shapes', wrong),
            ('missing', missing),
            ('not in this model', unexpected),
        )
        if keys
    ]
    if problems:
        raise LadaError(
            f'checkpoint {where} is of another architecture ({"; ".join(problems)}); '
            'use the config it was trained with'
        )
    load_into_wrapped(model, OrderedDict(state_dict), strict=True)


def _summary(kind: str, keys: list[str]) -> str:
    rest = f' and {len(keys) - 2} more' if len(keys) > 2 else ''
    return f'{kind}: {", ".join(keys[:2])}{rest}'


def load_generator_weights(model: nn.Module, path: str) -> None:
    """Start from a checkpoint's weights; its training counters are left out.

    Accepts a training checkpoint, a bare restorer state dict, or a bare generator state dict (the
    exported form). A model without an average of its weights gets the checkpoint's average where
    there is one; a model with a discriminator gets the checkpoint's, if any.
    """
    checkpoint = load_weights_file(path)
    parts = networks_of(checkpoint.get('state_dict', checkpoint))
    if getattr(model, 'generator_ema', None) is None:
        fit_state_dict(model.generator, parts['generator_ema'], path)
    else:
        fit_state_dict(model.generator, parts['generator'], path)
        fit_state_dict(model.generator_ema, parts['generator_ema'], path)
    if parts['discriminator'] and getattr(model, 'discriminator', None) is not None:
        fit_state_dict(model.discriminator, parts['discriminator'], path)


def networks_of(state_dict: Mapping[str, torch.Tensor]) -> dict[str, dict[str, torch.Tensor]]:
    """Return the weights of ``generator``, ``generator_ema`` and ``discriminator`` in a state dict.

    A state dict without such names is a bare generator's; an average that is missing is the
    generator itself.
    """
    state_dict = {re.sub(r'^module\.', '', key): value for key, value in state_dict.items()}
    parts = {
        name: {
            key.removeprefix(f'{name}.'): value
            for key, value in state_dict.items()
            if key.startswith(f'{name}.')
        }
        for name in ('generator', 'generator_ema', 'discriminator')
    }
    parts['generator'] = parts['generator'] or state_dict
    parts['generator_ema'] = parts['generator_ema'] or parts['generator']
    return parts
