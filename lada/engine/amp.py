"""Mixed precision that also runs on the CPU."""

from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper

from lada.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class AutocastOptimWrapper(OptimWrapper):
    """Forward passes under bfloat16 autocast, on CPU or CUDA.

    bfloat16 has float32's exponent range, so no loss scaling is needed. For float16 with scaling name MMEngine's
    ``AmpOptimWrapper`` in the config (CUDA only).
    """

    @contextmanager
    def optim_context(self, model):
        device = next(model.parameters()).device.type
        with super().optim_context(model), torch.autocast(device, dtype=torch.bfloat16):
            yield
