"""The data-parallel wrappers that also work without a GPU."""

import gc
from typing import Any

from mmengine.model import MMDistributedDataParallel as _MMDistributedDataParallel
from mmengine.model import MMSeparateDistributedDataParallel as _MMSeparateDistributedDataParallel
from mmengine.optim import OptimWrapper
from torch import nn

from lada.errors import LadaError
from lada.registry import MODEL_WRAPPERS


@MODEL_WRAPPERS.register_module()
class MMDistributedDataParallel(_MMDistributedDataParallel):
    """MMEngine's wrapper; ``device_ids``, which the Runner always passes, is dropped for a module
    on the CPU.
    """

    def __init__(self, module: nn.Module, **kwargs):
        super().__init__(module=module, **_without_devices_on_cpu(module, kwargs))


@MODEL_WRAPPERS.register_module()
class MMSeparateDistributedDataParallel(_MMSeparateDistributedDataParallel):
    """MMEngine's wrapper of each network by itself, for models with several optimizers;
    likewise.
    """

    def __init__(self, module: nn.Module, **kwargs):
        super().__init__(module=module, **_without_devices_on_cpu(module, kwargs))


@MODEL_WRAPPERS.register_module()
class RewrappingDistributedDataParallel(nn.Module):
    """Data parallelism without ``find_unused_parameters`` for a model that freezes parts of itself.

    ``DistributedDataParallel`` waits for the gradient of every parameter that could be trained when
    it was made. This wrapper makes a new one whenever the set of trainable parameters has changed,
    at ``fix_iter`` and when a run is resumed on either side of it, so that no iteration needs to
    search the graph for parameters without a gradient.

    Args:
        module: a model with ``prepare_step()``, which freezes and thaws for the training step that
            follows, such as :class:`lada.models.BasicVSR`.
        kwargs: arguments of :class:`MMDistributedDataParallel` except ``find_unused_parameters``.
    """

    def __init__(self, module: nn.Module, **kwargs):
        super().__init__()
        if kwargs.pop('find_unused_parameters', False):
            raise LadaError(
                'RewrappingDistributedDataParallel makes find_unused_parameters needless; leave'
                ' it out'
            )
        if not hasattr(module, 'prepare_step'):
            raise LadaError(
                f'RewrappingDistributedDataParallel: {type(module).__name__} does not freeze parts'
                ' of itself; use MMDistributedDataParallel'
            )
        self.module: Any = module
        self._options = kwargs
        self._trainable: list[bool] | None = None
        # In a list, so that its parameters are not this module's a second time.
        self._wrapped: list[MMDistributedDataParallel] = []

    def train_step(self, data: dict | tuple | list, optim_wrapper: OptimWrapper) -> dict:
        """MMEngine's training step, over all ranks."""
        self.module.prepare_step()
        trainable = [parameter.requires_grad for parameter in self.module.parameters()]
        if trainable != self._trainable:
            # The old one goes first: its hooks on the parameters would start exchanges of their
            # own.
            self._wrapped.clear()
            gc.collect()
            self._wrapped.append(MMDistributedDataParallel(self.module, **self._options))
            self._trainable = trainable
        return self._wrapped[0].train_step(data, optim_wrapper)

    def val_step(self, data: dict | tuple | list) -> list:
        """Predictions of this rank's batch."""
        return self.module.val_step(data)

    def test_step(self, data: dict | tuple | list) -> list:
        """Predictions of this rank's batch."""
        return self.module.test_step(data)

    def forward(self, *args, **kwargs):
        """The model's own, without any exchange."""
        return self.module(*args, **kwargs)


def _without_devices_on_cpu(module: nn.Module, kwargs: dict) -> dict:
    if next(module.parameters()).device.type != 'cpu':
        return kwargs
    return {
        key: value for key, value in kwargs.items() if key not in ('device_ids', 'output_device')
    }
