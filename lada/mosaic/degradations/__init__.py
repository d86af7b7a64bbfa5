"""What happens to a clip after its mosaic was drawn: compression, blur, noise.

A degradation is called as ``step(frames, rng)`` with (T, H, W, 3) uint8 RGB frames, which it leaves
alone, and returns the degraded frames (the same object where it does nothing). It takes a fixed
count of numbers from ``rng``, whatever happens, and nothing from anywhere else.

Every module of this package is imported with it: a file that holds a class registered in
:data:`lada.registry.DEGRADATIONS` is all that a further degradation needs.
"""

from collections.abc import Callable

import numpy as np

from lada.registry import import_modules

Degradation = Callable[[np.ndarray, np.random.Generator], np.ndarray]

import_modules(__name__)
