"""Registries of scope ``lada``, children of MMEngine's.

MMEngine imports this module when a config says ``default_scope = 'lada'``; the modules in ``locations`` are
imported when a registry is first asked for something. Types of MMEngine itself and of other scopes
(``mmagic.X``) resolve through the parent registries.
"""

from mmengine import registry as root

SCOPE = 'lada'


def _child(name: str, parent: root.Registry, *locations: str) -> root.Registry:
    return root.Registry(name, parent=parent, scope=SCOPE, locations=list(locations))


RUNNERS = _child('runner', root.RUNNERS, 'lada.engine')
LOOPS = _child('loop', root.LOOPS, 'lada.engine')
HOOKS = _child('hook', root.HOOKS, 'lada.engine')
MODEL_WRAPPERS = _child('model_wrapper', root.MODEL_WRAPPERS, 'lada.engine')
OPTIM_WRAPPERS = _child('optim_wrapper', root.OPTIM_WRAPPERS, 'lada.engine')
VISUALIZERS = _child('visualizer', root.VISUALIZERS, 'lada.engine')

DATASETS = _child('dataset', root.DATASETS, 'lada.data')
DATA_SAMPLERS = _child('data sampler', root.DATA_SAMPLERS, 'lada.data')
TRANSFORMS = _child('transform', root.TRANSFORMS, 'lada.data')

MODELS = _child('model', root.MODELS, 'lada.models')

METRICS = _child('metric', root.METRICS, 'lada.evaluation')
EVALUATOR = _child('evaluator', root.EVALUATOR, 'lada.evaluation')
