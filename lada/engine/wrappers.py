"""The data-parallel wrappers that also work without a GPU."""

from mmengine.model import MMDistributedDataParallel as _MMDistributedDataParallel
from mmengine.model import MMSeparateDistributedDataParallel as _MMSeparateDistributedDataParallel
from torch import nn

from lada.registry import MODEL_WRAPPERS


@MODEL_WRAPPERS.register_module()
class MMDistributedDataParallel(_MMDistributedDataParallel):
    """MMEngine's wrapper; ``device_ids``, which the Runner always passes, is dropped for a module on the CPU."""

    def __init__(self, module: nn.Module, **kwargs):
        super().__init__(module=module, **_without_devices_on_cpu(module, kwargs))


@MODEL_WRAPPERS.register_module()
class MMSeparateDistributedDataParallel(_MMSeparateDistributedDataParallel):
    """MMEngine's wrapper of each network by itself, for models with several optimizers; likewise."""

    def __init__(self, module: nn.Module, **kwargs):
        super().__init__(module=module, **_without_devices_on_cpu(module, kwargs))


def _without_devices_on_cpu(module: nn.Module, kwargs: dict) -> dict:
    if next(module.parameters()).device.type != 'cpu':
        return kwargs
    return {key: value for key, value in kwargs.items() if key not in ('device_ids', 'output_device')}
