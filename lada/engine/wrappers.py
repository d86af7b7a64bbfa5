"""The data-parallel wrapper that also works without a GPU."""

from mmengine.model import MMDistributedDataParallel as _MMDistributedDataParallel

from lada.registry import MODEL_WRAPPERS


@MODEL_WRAPPERS.register_module()
class MMDistributedDataParallel(_MMDistributedDataParallel):
    """MMEngine's wrapper; ``device_ids``, which the Runner always passes, is dropped for a module on the CPU."""

    def __init__(self, module, **kwargs):
        if next(module.parameters()).device.type == 'cpu':
            kwargs.pop('device_ids', None)
            kwargs.pop('output_device', None)
        super().__init__(module=module, **kwargs)
