"""What is refused before a split touches anything."""

import os
from dataclasses import fields
from pathlib import Path

from lada.dataset_tools.split.manifest import Manifest, SplitArguments
from lada.dataset_tools.split.packed import check_target as packed_target
from lada.dataset_tools.split.packed import is_packed
from lada.dataset_tools.split.plan import SplitPlan
from lada.dataset_tools.split.transfer import same_file_system
from lada.errors import LadaError
from lada.files import FREE_SPACE_MARGIN, nearest_existing
from lada.folders import SPLIT_FOLDER
from lada.platform_support import disk_of
from lada.text import human_bytes, printable

RECORD_BYTES = 100
"""What a clip or a file takes in a manifest, besides its path."""


def check_arguments(arguments: SplitArguments) -> None:
    """Raise LadaError for arguments that contradict each other or mean nothing."""
    if (arguments.val_size is None) == (arguments.val_ratio is None):
        raise LadaError('how large a validation set: give either --val-size or --val-ratio')
    if arguments.val_size is not None and arguments.val_size < 1:
        raise LadaError(f'--val-size {arguments.val_size} is no number of clips: use 1 or more')
    if arguments.val_ratio is not None and not 0 < arguments.val_ratio < 1:
        raise LadaError(
            f'--val-ratio {arguments.val_ratio:g} is no share: use a number between 0 and 1'
        )
    if arguments.mode == 'symlink' and arguments.remove:
        raise LadaError(
            '--mode symlink needs the files it links to: leave --remove-from-train away or use'
            ' --mode move'
        )
    if arguments.mode == 'move' and not arguments.remove:
        raise LadaError(
            '--mode move takes clips out of the training set: leave --keep-in-train away'
        )


def check_roots(train_root: Path, val_root: Path) -> None:
    """Raise LadaError unless the roots are two folders beside each other."""
    if not train_root.is_dir():
        raise LadaError(f'no such dataset: {printable(train_root)}; give the root of a dataset')
    a, b = train_root.resolve(), val_root.resolve()
    if a == b:
        raise LadaError(
            f'the validation root is the dataset itself: {printable(val_root)}; use another'
            ' --val-root'
        )
    if a in b.parents or b in a.parents:
        raise LadaError(
            f'one root lies inside the other: {printable(train_root)} and {printable(val_root)};'
            ' use a --val-root beside the dataset'
        )
    if os.path.lexists(val_root) and not val_root.is_dir():
        raise LadaError(
            f'the validation root is no folder: {printable(val_root)}; use another --val-root'
        )


def check_side(manifest: Manifest, root: Path) -> None:
    """Raise LadaError unless a manifest was read from a training root."""
    if manifest.side == 'val':
        raise LadaError(
            f'{printable(root)} is the validation side of a split; give the training root'
        )


def check_val_root(manifest: Manifest, train_root: Path, val_root: Path) -> None:
    """Raise LadaError unless a recorded split is one into ``val_root``."""
    recorded = (train_root.resolve() / manifest.val_root).resolve()
    if recorded != val_root.resolve():
        raise LadaError(
            f'another validation root: {printable(train_root)} was split into'
            f' {printable(recorded)}; use that as --val-root, or take the split back with --undo'
        )


def check_target(plan: SplitPlan) -> None:
    """Raise LadaError if the validation root cannot take the files, or if one of them would be
    overwritten.
    """
    arguments, val_root = plan.arguments, plan.val_root
    packed = is_packed(plan.train_root)
    if packed:
        packed_target(val_root, [e.stem for e in plan.moved])
    for e in [] if packed else plan.moved:
        for file in e.files:
            if os.path.lexists(val_root / file.path):
                raise LadaError(
                    f'the validation root holds clips already: {printable(val_root / file.path)}'
                    ' would be overwritten; move it away or use another --val-root'
                )
            if (arguments.remove or arguments.mode == 'hardlink') and os.path.islink(
                plan.train_root / file.path
            ):
                raise LadaError(
                    f'a symbolic link: {printable(plan.train_root / file.path)} may not work in'
                    ' another folder; use --mode copy or symlink, both with --keep-in-train'
                )
    if os.path.lexists(val_root / SPLIT_FOLDER):
        raise LadaError(
            f'another split into {printable(val_root)} is unfinished: {SPLIT_FOLDER} is there;'
            ' finish that one, or use another --val-root'
        )
    same = same_file_system(plan.train_root, val_root)
    if arguments.mode == 'hardlink' and not same:
        raise LadaError(
            f'hard links cannot cross file systems: {printable(val_root)}; use --mode copy or'
            ' symlink'
        )
    for what, root in (
        ('the dataset', plan.train_root),
        ('the validation root', nearest_existing(val_root)),
    ):
        if not os.access(root, os.W_OK | os.X_OK):
            raise LadaError(
                f'cannot write to {what}: {printable(root)}; make it writable'
                + (' or use another --val-root' if root != plan.train_root else '')
            )
    _check_space(plan, same)


def _check_space(plan: SplitPlan, same: bool) -> None:
    """Raise LadaError if the files, the journal and the manifests do not fit."""
    mode = plan.arguments.mode
    packed = is_packed(plan.train_root)
    files = [] if packed else [file for e in plan.moved for file in e.files]
    makes = files if mode in ('copy', 'symlink') or (mode == 'move' and not same) else []
    sizes = [0 if mode == 'symlink' else file.size for file in makes]
    record = sum(
        RECORD_BYTES + sum(len(f.path) + RECORD_BYTES for f in e.files)
        for e in plan.manifest.entries
    )
    for root, new, records in (
        (plan.val_root, sizes, 3 if same else 1),
        (plan.train_root, [], 3 if same else 2),
    ):
        disk = disk_of(nearest_existing(root))
        needed = sum(-(-size // disk.block) * disk.block for size in new) + records * record
        if needed * FREE_SPACE_MARGIN > disk.free:
            raise LadaError(
                f'not enough space: {printable(root)} needs {human_bytes(needed)},'
                f' {human_bytes(disk.free)} are free; free some'
                + (', use --mode hardlink' if new and same else '')
                + (', or use another --val-root' if new else '')
            )
        if disk.inodes > 0 and len(new) > disk.inodes_free:
            raise LadaError(
                f'not enough space: {printable(root)} needs {len(new):,} files, its file system has'
                f' room for {disk.inodes_free:,} more (inodes); use another --val-root'
            )


def as_options(arguments: SplitArguments) -> str:
    """Return arguments as they are typed."""
    words = []
    for option in fields(arguments):
        value, name = getattr(arguments, option.name), f'--{option.name.replace("_", "-")}'
        if option.name == 'remove':
            words += (
                []
                if arguments.mode == 'move'
                else ['--remove-from-train' if value else '--keep-in-train']
            )
        elif option.name == 'stratify':
            words += [] if value else ['--no-stratify']
        elif option.name == 'hash':
            words += [] if value == 'all' else [f'--hash {value}']
        elif isinstance(value, bool):
            words += [name] if value else []
        elif value is not None:
            words.append(f'{name} {value}')
    return ' '.join(words)
