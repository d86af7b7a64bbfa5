"""Registries of scope ``lada``, children of MMEngine's where it has one of the kind.

MMEngine imports this module when a config says ``default_scope = 'lada'``; the modules in
``locations`` are imported when a registry is first asked for something. Types of MMEngine itself
and of other scopes (``mmagic.X``) resolve through the parent registries.
"""

import importlib
import pkgutil

from mmengine import registry as root

SCOPE = 'lada'


def _child(name: str, parent: root.Registry | None, *locations: str) -> root.Registry:
    return root.Registry(name, parent=parent, scope=SCOPE, locations=list(locations))


def import_modules(package: str) -> None:
    """Import every module of a package, so that a class is registered by the file that holds it."""
    path = importlib.import_module(package).__path__
    for module in pkgutil.iter_modules(path, f'{package}.'):
        importlib.import_module(module.name)


RUNNERS = _child('runner', root.RUNNERS, 'lada.engine')
LOOPS = _child('loop', root.LOOPS, 'lada.engine')
HOOKS = _child('hook', root.HOOKS, 'lada.engine')
MODEL_WRAPPERS = _child('model_wrapper', root.MODEL_WRAPPERS, 'lada.engine')
OPTIM_WRAPPERS = _child('optim_wrapper', root.OPTIM_WRAPPERS, 'lada.engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child(
    'optimizer wrapper constructor', root.OPTIM_WRAPPER_CONSTRUCTORS, 'lada.engine'
)
VISUALIZERS = _child('visualizer', root.VISUALIZERS, 'lada.engine')
VISBACKENDS = _child('vis_backend', root.VISBACKENDS, 'lada.engine')

DATASETS = _child('dataset', root.DATASETS, 'lada.data')
DATA_SAMPLERS = _child('data sampler', root.DATA_SAMPLERS, 'lada.data')
TRANSFORMS = _child('transform', root.TRANSFORMS, 'lada.data')

# MMEngine has no registry of this kind to be a child of.
DEGRADATIONS = _child('degradation', None, 'lada.mosaic.degradations')

MODELS = _child('model', root.MODELS, 'lada.models')

METRICS = _child('metric', root.METRICS, 'lada.evaluation')
EVALUATOR = _child('evaluator', root.EVALUATOR, 'lada.evaluation')
SCORES = _child('score', None, 'lada.evaluation')  # what MosaicGain measures; MMEngine has none

# Nothing of Lada's own is in these; they exist so that MMEngine finds a registry of this scope for
# every kind.
OPTIMIZERS = _child('optimizer', root.OPTIMIZERS)
PARAM_SCHEDULERS = _child('parameter scheduler', root.PARAM_SCHEDULERS)
LOG_PROCESSORS = _child('log_processor', root.LOG_PROCESSORS)
FUNCTIONS = _child('function', root.FUNCTIONS)
WEIGHT_INITIALIZERS = _child('weight initializer', root.WEIGHT_INITIALIZERS)
