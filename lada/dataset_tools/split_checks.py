"""What is refused before a split touches anything."""

import os
import shutil
from dataclasses import fields
from pathlib import Path

from lada.dataset_tools.layout import human_bytes, printable
from lada.dataset_tools.manifest import Manifest, SplitArguments
from lada.dataset_tools.split_plan import SplitPlan
from lada.dataset_tools.transfer import nearest_existing, same_file_system
from lada.errors import LadaError

FREE_SPACE_MARGIN = 1.02


def check_arguments(arguments: SplitArguments) -> None:
    """Raise LadaError for arguments that contradict each other or mean nothing."""
    if (arguments.val_size is None) == (arguments.val_ratio is None):
        raise LadaError('how large a validation set: give either --val-size or --val-ratio')
    if arguments.val_size is not None and arguments.val_size < 1:
        raise LadaError(f'--val-size {arguments.val_size} is no number of clips: use 1 or more')
    if arguments.val_ratio is not None and not 0 < arguments.val_ratio < 1:
        raise LadaError(f'--val-ratio {arguments.val_ratio:g} is no share: use a number between 0 and 1')
    if arguments.mode == 'symlink' and arguments.remove:
        raise LadaError('--mode symlink needs the files it links to: leave --remove-from-train away or use --mode move')
    if arguments.mode == 'move' and not arguments.remove:
        raise LadaError('--mode move takes clips out of the training set: leave --keep-in-train away')


def check_roots(train_root: Path, val_root: Path) -> None:
    """Raise LadaError unless the roots are two folders beside each other."""
    if not train_root.is_dir():
        raise LadaError(f'no such dataset: {printable(train_root)}; give the root of a dataset')
    a, b = train_root.resolve(), val_root.resolve()
    if a == b:
        raise LadaError(f'the validation root is the dataset itself: {printable(val_root)}; use another --val-root')
    if a in b.parents or b in a.parents:
        raise LadaError(f'one root lies inside the other: {printable(train_root)} and {printable(val_root)}; use a '
                        '--val-root beside the dataset')
    if os.path.lexists(val_root) and not val_root.is_dir():
        raise LadaError(f'the validation root is no folder: {printable(val_root)}; use another --val-root')


def check_val_root(manifest: Manifest, train_root: Path, val_root: Path) -> None:
    """Raise LadaError unless a recorded split is one into ``val_root``."""
    recorded = (train_root.resolve() / manifest.val_root).resolve()
    if recorded != val_root.resolve():
        raise LadaError(f'another validation root: {printable(train_root)} was split into {printable(recorded)}; use '
                        'that as --val-root, or take the split back with --undo')


def check_target(plan: SplitPlan) -> None:
    """Raise LadaError if the validation root cannot take the files, or if one of them would be overwritten."""
    arguments, val_root = plan.arguments, plan.val_root
    for e in plan.moved:
        for file in e.files:
            if os.path.lexists(val_root / file.path):
                raise LadaError(f'the validation root holds clips already: {printable(val_root / file.path)} would be '
                                'overwritten; move it away or use another --val-root')
    same = same_file_system(plan.train_root, val_root)
    if arguments.mode == 'hardlink' and not same:
        raise LadaError(f'hard links cannot cross file systems: {printable(val_root)}; use --mode copy or symlink')
    if arguments.mode == 'copy' or (arguments.mode == 'move' and not same):
        needed = sum(file.size for e in plan.moved for file in e.files)
        free = shutil.disk_usage(nearest_existing(val_root)).free
        if needed * FREE_SPACE_MARGIN > free:
            raise LadaError(f'not enough space: {printable(val_root)} needs {human_bytes(needed)}, {human_bytes(free)} '
                            'are free; free some, use --mode hardlink, or another --val-root')


def as_options(arguments: SplitArguments) -> str:
    """Return arguments as they are typed."""
    words = []
    for option in fields(arguments):
        value, name = getattr(arguments, option.name), f'--{option.name.replace("_", "-")}'
        if option.name == 'remove':
            words += [] if arguments.mode == 'move' else ['--remove-from-train' if value else '--keep-in-train']
        elif option.name == 'stratify':
            words += [] if value else ['--no-stratify']
        elif isinstance(value, bool):
            words += [name] if value else []
        elif value is not None:
            words.append(f'{name} {value}')
    return ' '.join(words)
