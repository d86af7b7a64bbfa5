"""Reading a training config and turning its mistakes into one clear line."""

import difflib
import inspect
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.config import Config
from mmengine.runner import Runner

import lada
from lada.errors import LadaError

# What Runner.from_cfg and the code it calls read from the top level of a config.
_RUNNER_KEYS = (set(inspect.signature(Runner.__init__).parameters) - {'self', 'cfg'}) | {
    'model_wrapper_cfg',
    'runner_type',
    'sync_bn',
    'find_unused_parameters',
    'compile',
}


def load_config(path: str, options: dict | None = None) -> Config:
    """Read a config file and apply ``--cfg-options``.

    Raises :class:`LadaError` when the file is missing or does not run, when an option names a
    top-level key that neither the config nor the Runner has, or when a key of the config is a near
    miss of one the Runner reads.
    """
    try:
        config = Config.fromfile(find_config(path))
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
    shipped = (
        shipped_configs() / Path(path).relative_to('configs')
        if path.startswith('configs/')
        else None
    )
    if shipped is not None and shipped.is_file():
        return shipped
    raise LadaError(f'no config at {path}; those that ship with Lada are in {shipped_configs()}')


def shipped_configs() -> Path:
    """Return the folder of the configs that ship with Lada: in an installed package, beside it in
    a clone.
    """
    package = Path(lada.__file__).parent
    inside = package / 'configs'
    return inside if inside.is_dir() else package.parent / 'configs'


def _refuse_unknown_options(config: Config, options: dict) -> None:
    known = _RUNNER_KEYS | set(config.keys())
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
        if key not in _RUNNER_KEYS and difflib.get_close_matches(
            key, _RUNNER_KEYS, n=1, cutoff=0.85
        ):
            raise LadaError(
                f'config {path}: unknown config key {key!r}{_suggest(key, _RUNNER_KEYS)}'
            )


def _suggest(key: str, known: set[str]) -> str:
    close = difflib.get_close_matches(key, sorted(known), n=1)
    return (
        f'; did you mean {close[0]!r}?' if close else f'; known keys are {", ".join(sorted(known))}'
    )


@contextmanager
def config_errors(path: str) -> Iterator[None]:
    """Turn an exception raised while building a component from the config into a :class:`LadaError`
    naming it.
    """
    try:
        yield
    except LadaError:
        raise
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        if any(frame.name == 'build_from_cfg' for frame in frames):
            raise LadaError(f'config {path}: {error}') from error
        raise
