"""Reading a training config and turning its mistakes into one clear line."""

import difflib
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.config import Config

import lada
from lada.errors import LadaError

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
    'visualizer': 'where scalars and pictures go besides the log',
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
