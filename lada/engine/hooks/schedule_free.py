"""Optimizers whose weights to train and weights to use differ."""

from typing import Any

import torch
from mmengine.hooks import Hook
from torch import Tensor

from lada.engine.optim import single_wrappers
from lada.errors import LadaError
from lada.models.unwrapping import unwrapped
from lada.registry import HOOKS

TRAINED = 'schedule_free'


@HOOKS.register_module()
class ScheduleFreeHook(Hook):
    """Validate and save the averaged weights of a schedule-free optimizer (Defazio et al. 2024,
    "The Road Less Scheduled"), such as ``schedulefree.AdamWScheduleFree``.

    Gradients are taken at weights y between the average x, which is what the training yields, and
    z, where the optimizer is. A checkpoint's ``state_dict`` holds x, as whatever uses it expects,
    and y lies beside it, so that a resumed run goes on with the same bits. Does nothing for other
    optimizers.
    """

    def __init__(self):
        self._kept: dict[str, Tensor] = {}

    def before_train(self, runner) -> None:
        for optimizer in _schedule_free(runner):
            optimizer.train()

    @torch.no_grad()
    def before_val(self, runner) -> None:
        averaged = _averaged(runner)
        weights = _weights(runner)
        self._kept = {name: weights[name].clone() for name in averaged}
        for name, average in averaged.items():
            weights[name].copy_(average)

    @torch.no_grad()
    def after_val(self, runner) -> None:
        weights = _weights(runner)
        for name, trained in self._kept.items():
            weights[name].copy_(trained)
        self._kept = {}

    @torch.no_grad()
    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        state = checkpoint['state_dict']
        if self._kept:
            checkpoint[TRAINED] = {name: value.cpu() for name, value in self._kept.items()}
        elif averaged := _averaged(runner):
            checkpoint[TRAINED] = {name: state[name] for name in averaged}
            state.update((name, value.cpu()) for name, value in averaged.items())

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        checkpoint['state_dict'].update(checkpoint.get(TRAINED, {}))


def _schedule_free(runner) -> list[Any]:
    optim_wrapper = getattr(runner, 'optim_wrapper', None)
    if optim_wrapper is None or isinstance(optim_wrapper, dict):
        return []
    optimizers = [wrapper.optimizer for wrapper in single_wrappers(optim_wrapper)]
    found = [each for each in optimizers if 'train_mode' in each.param_groups[0]]
    if any('betas' not in group for each in found for group in each.param_groups):
        raise LadaError(
            f'{type(found[0]).__name__}: of the schedule-free optimizers only those of Adam are'
            ' known; use schedulefree.AdamWScheduleFree'
        )
    return found


def _weights(runner) -> dict[str, Tensor]:
    return dict(unwrapped(runner.model).named_parameters())


def _averaged(runner) -> dict[str, Tensor]:
    """Return the averages x of the weights y that have been moved: y = (1 - beta) z + beta x."""
    names = {id(weight): name for name, weight in _weights(runner).items()}
    return {
        names[id(weight)]: weight.lerp(state['z'], 1 - 1 / group['betas'][0])
        for optimizer in _schedule_free(runner)
        for group in optimizer.param_groups
        for weight in group['params']
        if 'z' in (state := optimizer.state.get(weight, {}))
    }
