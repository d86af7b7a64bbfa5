"""Training from a config file: decide where to start, then hand over to the Runner."""

import copy
import os
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.logging import MMLogger, print_log

from lada.checkpoints.finding import (
    LAST_CHECKPOINT,
    checkpoint_at,
    find_checkpoint,
    iteration_of,
)
from lada.checkpoints.reading import damage_of
from lada.engine.config import config_errors, load_config
from lada.engine.console import show_on, terminal
from lada.engine.distributed.agreement import check_same_everywhere
from lada.engine.distributed.process_group import (
    DEFAULT_TIMEOUT,
    check_launcher,
    check_shared_storage,
    decide_on_rank_0,
    default_backend,
    process_group,
    was_restarted,
)
from lada.engine.history import forget, start_in
from lada.engine.hooks.checkpoint import CheckpointHook
from lada.engine.loader import check_loader_memory, with_defaults
from lada.engine.loops import RESUME_VARIABLE, replays_batches
from lada.engine.run_state import run_state
from lada.engine.runner import Runner, wrapper_configs
from lada.engine.trial import (
    describe_data,
    describe_network,
    sources_on_both_sides,
    try_step,
)
from lada.engine.work_dir import checkpoint_folders, set_work_dir
from lada.errors import LadaError
from lada.memory import keep_freed_memory
from lada.models.out_of_memory import TRAINING, out_of_memory
from lada.signals import ignore_from_now_on


@dataclass
class TrainOptions:
    """What the training script's command line says.

    Attributes:
        config: path of the config file.
        work_dir: folder for logs and checkpoints; ``None`` leaves it to the config.
        resume: continue from the work directory's newest sound checkpoint when there is one.
        resume_from: continue from this checkpoint instead.
        load_from: start from this checkpoint's weights when nothing is resumed.
        amp: train in mixed precision, ``bfloat16`` or ``float16``; ``None`` leaves it to the
            config.
        compile: pass the generator through ``torch.compile``, or go on without where that fails.
        auto_scale_lr: scale the learning rate with the global batch size.
        launcher: ``none``, ``pytorch``, ``slurm`` or ``mpi``.
        cfg_options: values that override the config's, by dotted key.
    """

    config: str
    work_dir: str | None = None
    resume: bool = True
    resume_from: str | None = None
    load_from: str | None = None
    amp: str | None = None
    compile: bool = False
    auto_scale_lr: bool = False
    launcher: str = 'none'
    cfg_options: dict = field(default_factory=dict)


def train(options: TrainOptions) -> Config | None:
    """Train until the config's last iteration; return the config in the first process of a run that
    reached it, else None. Raises :class:`LadaError` for what the user can put right.
    """
    os.environ.setdefault(RESUME_VARIABLE, '0')
    keep_freed_memory()
    replays_batches()
    console = terminal()
    if console is not None:
        show_on(console, MMLogger.get_current_instance())
    config = prepare_config(options)
    check_launcher(options.launcher)
    dist_cfg = config.env_cfg.dist_cfg
    with process_group(
        options.launcher, dist_cfg.backend, dist_cfg.get('timeout', DEFAULT_TIMEOUT)
    ):
        check_same_everywhere(config)
        for folder in checkpoint_folders(config):
            check_shared_storage(folder)
        checkpoint = decide_on_rank_0(_decide_start, config, options, was_restarted())
        if checkpoint is not None:
            config.resume, config.load_from = True, str(checkpoint)
        folder = Path(config.work_dir)
        with run_state(folder) as state, start_in(folder), config_errors(config):
            runner = Runner.from_cfg(config)
            try:
                runner.train()
                ignore_from_now_on()
            finally:
                runner.release_loaders()
            finished = runner.iter >= runner.max_iters
            state.update(state='finished' if finished else 'stopped', iteration=runner.iter)
        return config if finished and is_main_process() else None


def describe_run(options: TrainOptions, trial: bool | None = None) -> list[str]:
    """Return what :func:`train` would do, one line each, and touch nothing. Raises what
    :func:`train` would raise.

    Args:
        options: of the run.
        trial: also try a step (:func:`~lada.engine.trial.try_step`); None: on a GPU.
    """
    config = prepare_config(options)
    lines = [
        f'config: {options.config}',
        f'work directory: {config.work_dir}',
        f'checkpoints: {checkpoint_folders(config)[-1]}',
    ]
    checkpoint = (
        choose_checkpoint(config, replace(options, resume=True)) if options.resume else None
    )
    with config_errors(config), TemporaryDirectory() as scratch:
        rehearsal = rehearsal_of(config, scratch)
        rehearsal.load_from = None if checkpoint else config.load_from
        runner = Runner.from_cfg(rehearsal)
        runner.rehearse()
        for hook in runner.hooks:
            if isinstance(hook, CheckpointHook):
                hook.check(runner)
        if checkpoint is not None:
            runner.load_checkpoint(str(checkpoint))
        lines.append(describe_network(runner.model))
        for loop in runner.built_loops:
            name = 'val_dataloader' if loop is runner.val_loop else 'train_dataloader'
            dataset = loop.dataloader.dataset
            check_loader_memory(name, dataset, with_defaults(config[name]))
            lines.append(f'{name}: {describe_data(dataset)}')
        lines += sources_on_both_sides(runner)
        if torch.cuda.is_available() if trial is None else trial:
            workers = with_defaults(config.train_dataloader).get('num_workers', 0)
            with out_of_memory(TRAINING):
                done = 0 if checkpoint is None else iteration_of(checkpoint)
                lines += try_step(runner, workers, done)
    if checkpoint is not None:
        lines.append(f'resumes {checkpoint}')
    elif config.load_from:
        lines.append(f'starts afresh from the weights in {config.load_from}')
    else:
        lines.append('starts afresh')
    return lines


def rehearsal_of(config: Config, folder: str) -> Config:
    """Return the config of a run that is built and not started: in one process, without loader
    workers, its files in ``folder``.
    """
    config = copy.deepcopy(config)
    config.update(work_dir=folder, launcher='none', resume=False, log_level='ERROR')
    # MMEngine hands out one visualizer and logger a name, wherever they write.
    config.experiment_name = Path(folder).name
    if config.get('visualizer'):
        config.visualizer.name = Path(folder).name
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loader = config.get(name)
        if loader:
            loader.update(num_workers=0, persistent_workers=False)
    checkpoint = config.get('default_hooks', {}).get('checkpoint')
    if checkpoint:
        checkpoint['out_dir'] = None
    return config


def prepare_config(options: TrainOptions) -> Config:
    """Return the config that the Runner gets, resume decision excepted."""
    config = load_config(options.config, options.cfg_options)
    for key in ('model', 'train_dataloader', 'train_cfg', 'optim_wrapper'):
        if key not in config:
            raise LadaError(
                f'config {options.config} has no {key!r}; see configs/basicvsrpp/ for complete ones'
            )
    config.launcher = options.launcher
    config.setdefault('default_scope', 'lada')
    set_work_dir(config, options.work_dir, options.config)
    config.load_from = options.load_from or config.get('load_from')
    if config.load_from:
        config.load_from = checkpoint_at(config.load_from)
    config.setdefault('env_cfg', {}).setdefault('dist_cfg', {})
    if config.env_cfg.dist_cfg.get('backend', 'nccl') in ('nccl', 'gloo'):
        config.env_cfg.dist_cfg['backend'] = default_backend()
    if options.amp:
        for wrapper in wrapper_configs(config.optim_wrapper).values():
            wrapper.update(type='AutocastOptimWrapper', dtype=options.amp)
    if options.compile:
        config.compile = config.get('compile') or True
    if options.auto_scale_lr:
        if 'base_batch_size' not in (config.get('auto_scale_lr') or {}):
            raise LadaError(
                f'config {options.config} has no auto_scale_lr.base_batch_size; --auto-scale-lr'
                ' needs it'
            )
        config.auto_scale_lr.enable = True
    return config


def choose_checkpoint(
    config: Config, options: TrainOptions, restarted: bool = False
) -> Path | None:
    """Return the checkpoint to resume from, ``None`` to start afresh. Damaged ones are logged and
    left in place.

    ``restarted``: the launcher has started the processes of this job again, so that what the job
    itself has saved goes before ``--no-resume`` and ``--resume-from``.
    """
    given = None
    if options.resume_from is not None:
        given = Path(options.resume_from)
        if not given.is_file():
            raise LadaError(
                f'--resume-from {given}: no such file; give the path of an iter_<n>.pth file'
            )
        damage = damage_of(given)
        if damage:
            raise LadaError(
                f'--resume-from {given}: the checkpoint is damaged ({damage}); choose an'
                ' earlier one'
            )
    if not restarted and (given is not None or not options.resume):
        return given
    newest, damaged = find_checkpoint(*checkpoint_folders(config))
    for bad, damage in damaged.items():
        print_log(
            f'Checkpoint {bad} is damaged ({damage}); passed over and left in place', level=30
        )
    if given is not None and (newest is None or iteration_of(newest) <= iteration_of(given)):
        return given
    return newest


def _decide_start(config: Config, options: TrainOptions, restarted: bool) -> Path | None:
    checkpoint = choose_checkpoint(config, options, restarted)
    if not restarted and (options.resume_from is not None or not options.resume):
        # What is left beyond the start belongs to another run, and a later resume would take it for
        # this one's.
        beyond = -1 if checkpoint is None else iteration_of(checkpoint)
        if _set_aside(checkpoint_folders(config), beyond):
            forget(Path(config.work_dir))
    return checkpoint


def _set_aside(folders: list[Path], beyond: int) -> bool:
    """Move checkpoints of iterations after ``beyond`` into a dated folder: neither overwritten nor
    resumed later. Return whether there were any.
    """
    moved = False
    for folder in folders:
        old = sorted(folder.glob('*iter_*.pth')) if folder.is_dir() else []
        old = [path for path in old if iteration_of(path) > beyond]
        if not old:
            continue
        aside = folder / time.strftime('previous_%Y%m%d_%H%M%S')
        aside.mkdir()
        moved = True
        for path in [*old, folder / LAST_CHECKPOINT]:
            if path.exists():
                path.rename(aside / path.name)
        print_log(f'{len(old)} earlier checkpoints moved to {aside}', level=20)
    return moved
