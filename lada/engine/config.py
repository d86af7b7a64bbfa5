"""Reading a training config and turning its mistakes into one clear line."""

import difflib
import re
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import Registry

import lada.registry
from lada.errors import LadaError
from lada.folders import shipped_folder
from lada.text import one_line

TOP_LEVEL_KEYS = {
    'model': 'what is trained, a model of `MODELS`',
    'work_dir': 'folder of logs and, unless `default_hooks.checkpoint.out_dir` says otherwise, of '
    "checkpoints; `experiments/` and the config's name unless given",
    'experiment_name': "how logs call the run; made from the config's name unless given",
    'train_dataloader': 'training data: a data loader with `dataset`, `sampler` and `batch_size`',
    'val_dataloader': 'the same for validation; needs `val_cfg` and `val_evaluator`',
    'test_dataloader': 'the same for `Runner.test()`',
    'train_cfg': 'the training loop: `max_iters`, `val_interval`, `val_begin`',
    'val_cfg': 'the validation loop',
    'test_cfg': 'the test loop',
    'val_evaluator': 'metrics of a validation',
    'test_evaluator': 'metrics of a test',
    'optim_wrapper': 'optimizer, precision, gradient clipping and accumulation',
    'param_scheduler': 'schedules of the learning rate, one or a list',
    'auto_scale_lr': '`enable` (or `--auto-scale-lr`) multiplies learning rates by samples an '
    'update / `base_batch_size`',
    'model_wrapper_cfg': 'the data-parallel wrapper of several processes',
    'find_unused_parameters': 'of the wrapper that is used without `model_wrapper_cfg`',
    'sync_bn': 'which synchronised batch normalisation to use; no network here has any',
    'compile': 'pass the generator through `torch.compile`: True, or its options',
    'default_hooks': 'hooks by name; a name that is missing gets the default of the runner',
    'custom_hooks': 'further hooks, a list',
    'randomness': '`seed` (42 unless given), `deterministic`, `diff_rank_seed`',
    'env_cfg': 'process settings: `mp_cfg`, `dist_cfg`, `cudnn_benchmark`',
    'launcher': 'set by `--launcher`',
    'load_from': 'weights to start from when nothing is resumed; `--load-from` goes first',
    'resume': 'set by the training command, which resumes unless told `--no-resume`',
    'log_level': "of Python's logging",
    'log_processor': 'how log lines are put together',
    'visualizer': 'where scalars and pictures go besides the log, see the guide to loggers',
    'data_preprocessor': 'the preprocessor of a model that names none',
    'default_scope': 'where types are looked up first; `lada` unless given',
    'runner_type': 'another runner of `RUNNERS`',
}
"""What Runner.from_cfg and the code it calls read from the top level of a config."""


def load_config(path: str, options: dict | None = None) -> Config:
    """Read a config file and apply ``--cfg-options``.

    Raises :class:`LadaError` when the file is missing or does not run, when an option names a
    top-level key that neither the config nor the Runner has, or when a key of the config is a near
    miss of one the Runner reads.
    """
    file = find_config(path)
    try:
        config = Config.fromfile(file)
    except Exception as error:  # a config is a program: it can raise anything
        raise LadaError(f'config {path} cannot be read: {type(error).__name__}: {error}') from error
    _refuse_unknown_options(config, options or {})
    try:
        config.merge_from_dict(options or {})
    except (KeyError, TypeError, IndexError, AssertionError) as error:
        raise LadaError(
            f'--cfg-options {" ".join(options or {})}: {error}; name keys that the config has'
        ) from error
    _refuse_near_misses(config, path)
    return config


def find_config(path: str) -> Path:
    """Return the config at ``path``, or the one that ships with Lada under that name.

    The latter, ``configs/basicvsrpp/...``, is found from any folder, also without a clone. Raises
    :class:`LadaError` where there is none.
    """
    if Path(path).is_file():
        return Path(path)
    folder = shipped_folder('configs')
    shipped = folder.parent / path
    if path.startswith('configs/') and shipped.is_file():
        return shipped
    raise LadaError(f'no config at {path}; those that ship with Lada are in {folder}')


def _refuse_unknown_options(config: Config, options: dict) -> None:
    known = {*TOP_LEVEL_KEYS, *config.keys()}
    for option in options:
        key = option.split('.')[0]
        if key not in known:
            raise LadaError(
                f'--cfg-options {option}: unknown config key {key!r}{_suggest(key, known)}'
            )


def _refuse_near_misses(config: Config, path: str) -> None:
    # Other names are the config's own variables (data roots and the like), which MMEngine configs
    # use freely.
    for key in config:
        if key not in TOP_LEVEL_KEYS and difflib.get_close_matches(
            key, TOP_LEVEL_KEYS, n=1, cutoff=0.85
        ):
            raise LadaError(
                f'config {path}: unknown config key {key!r}{_suggest(key, TOP_LEVEL_KEYS)}'
            )


def _suggest(key: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(key, sorted(known), n=1)
    return (
        f'; did you mean {close[0]!r}?' if close else f'; known keys are {", ".join(sorted(known))}'
    )


@contextmanager
def config_errors(config: Config) -> Iterator[None]:
    """Turn an exception raised while building a component from the config into a :class:`LadaError`
    that says which key of the config it is about.
    """
    try:
        yield
    except LadaError:
        raise
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        if any(frame.name == 'build_from_cfg' for frame in frames):
            raise LadaError(f'config {config.filename}: {_explain(error, config)}') from error
        raise


def _explain(error: Exception, config: Config) -> str:
    """Return what a registry or a constructor says, with the place in the config where it is."""
    text = one_line(error)
    if found := re.search(r'(\w+) is not in the (?:\w+::)?([\w ]+) registry', text):
        name, kind = found.groups()
        known = {key for registry in _registries(kind) for key in registry.module_dict}
        place, _ = _find(config, lambda part: _type(part) == name)
        return f'{place}: no {kind.split()[-1]} is called {name!r}{_suggest(name, known)}'
    if found := re.search(r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'", text):
        name, key = found.groups()
        place, kind = _find(config, lambda part: key in part and name in _names(_type(part)))
        return (
            f'{place}: {kind or name} takes no {key!r}; remove it, or, where a base config sets it,'
            ' give _delete_=True beside the type'
        )
    if found := re.search(r'(\w+)\.__init__\(\) missing .*?argument', text):
        name = found[1]
        place, _ = _find(config, lambda part: name in _names(_type(part)))
        return f'{place}: {text}'
    return text


def _registries(kind: str | None = None) -> list[Registry]:
    found = [value for value in vars(lada.registry).values() if isinstance(value, Registry)]
    return [registry for registry in found if kind in (None, registry.name)]


def _type(part: Any) -> str:
    return str(part.get('type')).split('.')[-1]


def _names(name: str) -> set[str]:
    """Return the names of the registered class and of its bases."""
    classes = [registry.module_dict.get(name) for registry in _registries()]
    return {name, *(base.__name__ for cls in classes if cls for base in cls.__mro__)}


def _find(config: Any, fits: Callable[[Any], bool], place: str = '') -> tuple[str, str]:
    """Return the place of the first typed dictionary that fits, and its type; empty for none."""
    items: list[tuple[str, Any]] = []
    if isinstance(config, (Config, dict)):
        if config.get('type') and fits(config):
            return place, _type(config)
        items = [(f'{place}.{key}'.lstrip('.'), value) for key, value in config.items()]
    elif isinstance(config, (list, tuple)):
        items = [(f'{place}[{number}]', value) for number, value in enumerate(config)]
    found = (_find(value, fits, key) for key, value in items)
    return next((one for one in found if one[0]), ('', ''))
