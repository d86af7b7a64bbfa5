"""Where a run keeps its files: the one rule for ``--work-dir``, ``work_dir`` and ``out_dir``."""

import os
from pathlib import Path

from mmengine.config import Config

from lada.errors import LadaError


def set_work_dir(config: Config, work_dir: str | None, config_path: str) -> None:
    """Make ``config.work_dir`` and where its checkpoints go final.

    ``out_dir`` that is the config's ``save_dir`` belongs to the work directories in it. Another
    one, which the user names or which a config sets over the recipe it is based on, holds its
    checkpoints itself: jobs whose folders share a name would else meet in ``save_dir``.

    Args:
        config: changed in place.
        work_dir: what the user names. ``None``: the config's, or ``experiments/`` and the config's
            name.
        config_path: of the config's file.
    """
    if work_dir is not None:
        config.work_dir = work_dir
    elif config.get('work_dir') is None:
        config.work_dir = str(Path('experiments') / Path(config_path).stem)
    if Path(config.work_dir).exists() and not Path(config.work_dir).is_dir():
        raise LadaError(
            f'work directory {config.work_dir} is a file; choose another with --work-dir'
        )
    hook = config.get('default_hooks', {}).get('checkpoint') or {}
    out_dir, save_dir = hook.get('out_dir'), config.get('save_dir')
    elsewhere = save_dir and Path(config.work_dir).parent != Path(save_dir)
    if work_dir is not None or (elsewhere and out_dir and Path(out_dir) == Path(save_dir)):
        hook['out_dir'] = None


def checkpoint_folder(work_dir: str | Path, out_dir: str | Path | None) -> Path:
    """Return where a run's checkpoints go: in a folder of the work directory's name below
    ``out_dir``, as MMEngine does it.
    """
    if out_dir is None or str(out_dir) == os.path.abspath(work_dir):
        return Path(work_dir)
    return Path(out_dir) / Path(work_dir).name


def checkpoint_folders(config: Config) -> list[Path]:
    """Return the folders in which this config's checkpoints are looked for."""
    out_dir = (config.get('default_hooks', {}).get('checkpoint') or {}).get('out_dir')
    folders = [Path(config.work_dir), checkpoint_folder(config.work_dir, out_dir)]
    return list(dict.fromkeys(folders))
