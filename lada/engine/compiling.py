"""torch.compile that never stops a run."""

from collections.abc import Callable
from typing import Any

import torch
from mmengine.logging import print_log

from lada.text import one_line


def compile_or_fall_back(function: Callable[..., Any], **options) -> Callable[..., Any]:
    """Return ``torch.compile(function, **options)``; where that fails, one line is logged and
    ``function`` runs.

    ``function`` must have no side effects: the call in which compiling fails is repeated without
    it.
    """
    chosen = None

    def call(*args, **kwargs):
        nonlocal chosen
        if chosen is not None:
            return chosen(*args, **kwargs)
        try:
            compiled = torch.compile(function, **options)
            result = compiled(*args, **kwargs)
        except Exception as error:
            result = function(
                *args, **kwargs
            )  # an error of the function's own is raised again here
            reason = one_line(error)[:200]
            print_log(
                f'torch.compile failed ({type(error).__name__}: {reason}); going on without it',
                logger='current',
                level=30,
            )
            chosen = function
        else:
            chosen = compiled
        return result

    return call
