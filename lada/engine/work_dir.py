"""Where a run keeps its files: the one rule for ``--work-dir``, ``work_dir`` and ``out_dir``."""

import os
from pathlib import Path

from mmengine.config import Config

from lada.errors import LadaError


def set_work_dir(config: Config, work_dir: str | None, config_path: str) -> None:
    """Make ``config.work_dir`` final.

    Args:
        config: changed in place.
        work_dir: what the user names; it then holds the checkpoints too, because the config's
            ``out_dir`` belongs to the config's own ``work_dir``. ``None``: the config's, or
            ``experiments/`` and the config's name.
        config_path: of the config's file.
    """
    if work_dir is not None:
        config.work_dir = work_dir
        checkpoint_hook = config.get('default_hooks', {}).get('checkpoint')
        if checkpoint_hook:
            checkpoint_hook['out_dir'] = None
    elif config.get('work_dir') is None:
        config.work_dir = str(Path('experiments') / Path(config_path).stem)
    if Path(config.work_dir).exists() and not Path(config.work_dir).is_dir():
        raise LadaError(
            f'work directory {config.work_dir} is a file; choose another with --work-dir'
        )


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
