"""What becomes of a changed learning rate or schedule when a run is resumed."""

import warnings
from collections.abc import Iterator
from typing import Any

# What moves while a scheduler works; all else of its state are settings.
_COUNTERS = ('last_step', '_global_step', '_last_value', 'verbose')
_NAMES = {'base_values': 'lr'}


def flat(schedulers: Any) -> Iterator[Any]:
    """Yield the schedulers, or their states, of a list, of lists by the optimizer's name, or of
    None.
    """
    if isinstance(schedulers, dict) and 'last_step' not in schedulers:
        for group in schedulers.values():
            yield from flat(group)
    elif isinstance(schedulers, (list, tuple)):
        for each in schedulers:
            yield from flat(each)
    elif schedulers is not None:
        yield schedulers


def settings(states: Any) -> list[dict[str, Any]]:
    """Return what decides the learning rates in the states of schedulers."""
    return [
        {key: value for key, value in state.items() if key not in _COUNTERS}
        for state in flat(states)
    ]


def changes(wanted: list[dict[str, Any]], kept: list[dict[str, Any]]) -> str:
    """Return what differs between two settings as text, '' for nothing."""
    if [set(each) for each in wanted] != [set(each) for each in kept]:
        return 'other schedulers'
    found = {
        f'{_NAMES.get(key, key)} {_text(old[key])} -> {_text(value)}': None
        for new, old in zip(wanted, kept, strict=True)
        for key, value in new.items()
        if value != old[key]
    }
    return ', '.join(found)


def fast_forward(schedulers: Any, steps: int) -> None:
    """Bring fresh schedulers to where they are after ``steps`` iterations."""
    with warnings.catch_warnings():
        # PyTorch warns of schedules that move before the optimizer does.
        warnings.simplefilter('ignore', UserWarning)
        for each in flat(schedulers):
            for _ in range(0 if each.by_epoch else steps):
                each.step()


def _text(value: Any) -> str:
    if isinstance(value, list):
        return '/'.join(dict.fromkeys(map(_text, value)))
    return f'{value:g}' if isinstance(value, float) else str(value)
