"""Which forward pass computes BasicVSR++: the plain one, or that for processors."""

import torch

from lada.errors import LadaError

BACKENDS = ('plain', 'cpu')


def check_backend(backend: str | None) -> str | None:
    """Return ``backend``; raise :class:`LadaError` unless it is one of :data:`BACKENDS` or None."""
    if backend is None or backend in BACKENDS:
        return backend
    raise LadaError(f'unknown backend {backend!r}; choose one of {", ".join(BACKENDS)}, or None')


def choose_backend(backend: str | None, device: torch.device, deform_conv: str | None) -> str:
    """Return the backend that a call on ``device`` uses.

    Args:
        backend: what the user asks for. ``None``: ``cpu`` on a processor, ``plain`` elsewhere,
            under ``torch.compile`` (which fuses plain operations itself) and where ``deform_conv``
            names an operator that only the plain network calls.
        device: of the clip.
        deform_conv: the deformable convolution that the user asks for, or ``None``.
    """
    if backend == 'cpu' and device.type != 'cpu':
        raise LadaError(f"backend='cpu' on {device}; leave it out, or move network and clip to cpu")
    if backend is not None:
        return backend
    plain = device.type != 'cpu' or torch.compiler.is_compiling()
    return 'plain' if plain or deform_conv not in (None, 'sampling') else 'cpu'
