"""Splitting a dataset all or nothing: every call finishes, or can be finished, or can be taken
back.

While a split runs, a journal in the training root holds all of its plan; what has been done of it
is what the file system says. The manifests appear in both roots when all files are in their places,
then the journal goes.
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tqdm import tqdm

from lada.dataset_tools.explaining import explained
from lada.dataset_tools.inventory import ClipFile, Inventory, take_inventory
from lada.dataset_tools.locking import only_run
from lada.dataset_tools.packed_tables import add_clips, drop_clips
from lada.dataset_tools.split.checks import (
    as_options,
    check_arguments,
    check_roots,
    check_side,
    check_target,
    check_val_root,
)
from lada.dataset_tools.split.manifest import MANIFEST_NAME, Entry, Manifest, SplitArguments
from lada.dataset_tools.split.packed import check_back, is_packed, take_back
from lada.dataset_tools.split.plan import SplitPlan, describe, plan_split
from lada.dataset_tools.split.transfer import Transfer
from lada.errors import LadaError
from lada.folders import SPLIT_FOLDER
from lada.text import counted, printable

Say = Callable[[str], None]


def split_dataset(
    train_root: Path,
    val_root: Path,
    arguments: SplitArguments,
    *,
    dry_run: bool = False,
    confirm: Callable[[], bool] = lambda: True,
    say: Say = print,
    planned: Callable[[SplitPlan], None] = lambda plan: None,
) -> bool:
    """Split a dataset, or finish a split that was interrupted.

    Returns whether both sides now are as asked for. Raises LadaError; nothing is lost then, and the
    message says how to go on.

    Args:
        train_root: of the dataset.
        val_root: of the validation set.
        arguments: what is asked for.
        dry_run: touch nothing.
        confirm: asked before anything is done; what it answers decides.
        say: called with each line that says what will be done; they do not depend on ``dry_run``.
        planned: gets the plan before ``confirm`` is asked.
    """
    check_roots(train_root, val_root)
    check_arguments(arguments)
    with only_run(train_root):
        journal = _Journal(train_root)
        if journal.undo.exists():
            raise LadaError(
                f'an undo of a split was interrupted: {printable(train_root)}; finish it with'
                ' --undo'
            )
        if journal.plan.exists():
            return _finish_interrupted(journal, val_root, arguments, dry_run, confirm, say)
        previous = None
        if (train_root / MANIFEST_NAME).exists():
            previous = Manifest.read(train_root / MANIFEST_NAME)
            check_side(previous, train_root)
            check_val_root(previous, train_root, val_root)
            _check_there(previous, train_root, val_root)
        elif arguments.extend:
            raise LadaError(
                f'nothing to extend: {printable(train_root)} has not been split; leave --extend'
                ' away'
            )
        elif (val_root / MANIFEST_NAME).exists():
            raise LadaError(
                f'the validation root belongs to another split: {printable(val_root)} holds a '
                f'{MANIFEST_NAME}; use another --val-root'
            )
        if not dry_run:
            journal.clean()
        with _bar('reading clips', unit='clip') as bar:
            inventory = take_inventory(train_root, bar.update)
        if previous is not None and not _anything_new(previous, inventory, arguments, say):
            return True
        plan = plan_split(inventory, val_root, arguments, previous)
        check_target(plan)
        for line in describe(plan):
            say(line)
        planned(plan)
        if dry_run:
            return True
        if not confirm():
            return False
        journal.begin(plan.manifest)
        _try_folders(journal, plan.manifest, val_root)
        _do(journal, plan.manifest, val_root)
        return True


def undo_split(
    train_root: Path,
    val_root: Path | None = None,
    *,
    dry_run: bool = False,
    confirm: Callable[[], bool] = lambda: True,
    say: Say = print,
) -> bool:
    """Take the last run of a split back, finished or not; or finish doing so. Returns whether it is
    taken back.
    """
    if not train_root.is_dir():
        raise LadaError(f'no such dataset: {printable(train_root)}; give the root that was split')
    with only_run(train_root):
        journal = _Journal(train_root)
        path = next(
            (p for p in (journal.undo, journal.plan, train_root / MANIFEST_NAME) if p.exists()),
            None,
        )
        if path is None:
            if not dry_run:
                journal.clean()
            raise LadaError(f'nothing to undo: {printable(train_root)} has not been split')
        manifest = Manifest.read(path)
        check_side(manifest, train_root)
        val_root = val_root or Path(os.path.normpath(train_root.resolve() / manifest.val_root))
        check_roots(train_root, val_root)
        check_val_root(manifest, train_root, val_root)
        moved = manifest.moved()
        transfer = _transfer(manifest, train_root, val_root)
        packed = is_packed(train_root)
        if packed:
            check_back(train_root, val_root, [e.stem for e in moved])
        else:
            transfer.check_back(file for e in moved for file in e.files)
        files = '' if packed else f', {counted(sum(len(e.files) for e in moved), "file")}'
        say(
            f'take back: {counted(len(moved), "clip")}{files}, from {printable(val_root)} to'
            f' {printable(train_root)}'
        )
        if dry_run:
            return True
        if not confirm():
            return False
        journal.begin_undo(path, manifest)
        with explained('the undo', 'use --undo again'):
            if packed:
                take_back(train_root, val_root, [e.stem for e in moved])
            else:
                for file in _with_bar(moved, 'taking back'):
                    transfer.back(file)
            before = manifest.without_last_run()
            if before is not None:
                _write_manifests(before, train_root, val_root)
            else:
                for root in (val_root, train_root):
                    (root / MANIFEST_NAME).unlink(missing_ok=True)
            shutil.rmtree(val_root / SPLIT_FOLDER, ignore_errors=True)
            for folder in reversed(_folders(manifest, val_root)):
                _remove_if_empty(folder)
            journal.clean()
        return True


def _finish_interrupted(
    journal: '_Journal',
    val_root: Path,
    arguments: SplitArguments,
    dry_run: bool,
    confirm: Callable[[], bool],
    say: Say,
) -> bool:
    manifest = Manifest.read(journal.plan)
    check_val_root(manifest, journal.train_root, val_root)
    if manifest.last_arguments != arguments:
        raise LadaError(
            f'another split was interrupted: {printable(journal.train_root)}; finish it with '
            f'{as_options(manifest.last_arguments)}, or take it back with --undo'
        )
    say(f'finishing an interrupted split: {counted(len(manifest.moved()), "clip")} for validation')
    if dry_run:
        return True
    if not confirm():
        return False
    _do(journal, manifest, val_root)
    return True


def _do(journal: '_Journal', manifest: Manifest, val_root: Path) -> None:
    """Carry a journaled plan out; everything here may be repeated from the start."""
    moved, arguments = manifest.moved(), manifest.last_arguments
    with explained('the split', 'run the same command again, or use --undo'):
        for folder in _folders(manifest, val_root):
            folder.mkdir(exist_ok=True)
        scratch = _scratch(val_root)
        if is_packed(journal.train_root):
            stems = [e.stem for e in moved]
            add_clips(journal.train_root, val_root, stems)
            if arguments.remove:
                drop_clips(journal.train_root, stems)
        else:
            _transfer_files(journal, manifest, val_root)
        _write_manifests(manifest, journal.train_root, val_root)
        shutil.rmtree(scratch)
        journal.clean()


def _transfer_files(journal: '_Journal', manifest: Manifest, val_root: Path) -> None:
    moved, arguments = manifest.moved(), manifest.last_arguments
    transfer = _transfer(manifest, journal.train_root, val_root)
    _replace_files(moved, arguments.mode, transfer.forward)
    if arguments.hash == 'all':
        _replace_files(manifest.stayed(), 'hash', transfer.stay)
    else:
        for e in manifest.stayed():  # hashed while it was planned
            e.files = [file for file in e.files if file.sha256 is not None]
    if arguments.remove and not transfer.renames:
        _remove(transfer, moved)


def _replace_files(entries: list[Entry], label: str, do: Callable[[ClipFile], ClipFile]) -> None:
    """Replace every entry's files by what ``do`` makes of them."""
    done = map(do, _with_bar(entries, label))
    for e in entries:
        e.files = [next(done) for _ in e.files]


def _remove(transfer: Transfer, moved: list[Entry]) -> None:
    os.sync()  # copies must be on the disk before their originals go
    for file in _with_bar(moved, 'remove'):
        transfer.leave(file)


class _Journal:
    """The files in the training root that say what is under way."""

    def __init__(self, train_root: Path):
        self.train_root = train_root
        self.folder = train_root / SPLIT_FOLDER
        self.plan = self.folder / 'plan.jsonl'
        self.undo = self.folder / 'undo.jsonl'

    def begin(self, manifest: Manifest) -> None:
        self._write(manifest, self.plan)

    def begin_undo(self, path: Path, manifest: Manifest) -> None:
        if path == self.plan:
            os.replace(path, self.undo)
        elif path != self.undo:
            self._write(manifest, self.undo)

    def clean(self) -> None:
        """Forget what was under way; the journal's own file goes first."""
        for path in (self.plan, self.undo):
            path.unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _write(self, manifest: Manifest, path: Path) -> None:
        try:
            self.folder.mkdir(exist_ok=True)
            manifest.write(path, self.folder / 'journal')
        except OSError as error:
            raise LadaError(
                f'cannot write the journal: {printable(self.folder)} ({error.strerror}); the'
                ' dataset must be writable'
            ) from error


def _scratch(root: Path) -> Path:
    """Return the folder for temporary files below a root."""
    folder = root / SPLIT_FOLDER
    folder.mkdir(exist_ok=True)
    return folder


def _write_manifests(manifest: Manifest, train_root: Path, val_root: Path) -> None:
    manifest.write(val_root / MANIFEST_NAME, _scratch(val_root) / 'manifest', 'val')
    manifest.write(train_root / MANIFEST_NAME, _scratch(train_root) / 'manifest', 'train')


def _transfer(manifest: Manifest, train_root: Path, val_root: Path) -> Transfer:
    arguments = manifest.last_arguments
    return Transfer(
        train_root, val_root, arguments.mode, arguments.remove, val_root / SPLIT_FOLDER / 'file'
    )


def _folders(manifest: Manifest, val_root: Path) -> list[Path]:
    """Return the folders that the last run makes, parents first."""
    return [
        Path(os.path.normpath(val_root / folder)) for folder in manifest.runs[-1]['made_folders']
    ]


def _try_folders(journal: _Journal, manifest: Manifest, val_root: Path) -> None:
    """Make the folders of the validation set; where that fails, forget the split without leaving a
    trace.
    """
    folders = _folders(manifest, val_root)
    try:
        for folder in folders:
            folder.mkdir()
        (val_root / SPLIT_FOLDER).mkdir()  # fails where another dataset's split was faster
    except OSError as error:
        for folder in reversed(folders):
            _remove_if_empty(folder)
        journal.clean()
        raise LadaError(
            f'cannot write to the validation root: {printable(val_root)} ({error.strerror}); make'
            ' it writable or use another --val-root'
        ) from error


def _remove_if_empty(path: Path) -> None:
    try:
        path.rmdir()
    except OSError:
        return


def _check_there(manifest: Manifest, train_root: Path, val_root: Path) -> None:
    """Raise LadaError where all recorded validation clips have gone; some may be in quarantine."""
    val = [e for e in manifest.entries if e.side == 'val']
    gone = [e for e in val if not os.path.lexists(val_root / e.files[0].path)]
    if gone and len(gone) == len(val):
        raise LadaError(
            f'all {counted(len(val), "validation clip")} are gone from {printable(val_root)}; put'
            ' them back, or use --undo if they were copies, or delete'
            f' {printable(train_root / MANIFEST_NAME)} to split afresh'
        )


def _refuse_returned(previous: Manifest, inventory: Inventory) -> None:
    """Raise LadaError where clips that were taken out of the training set are in it again."""
    left = [run['arguments']['remove'] for run in previous.runs]
    here = {clip.stem for clip in inventory.clips}
    again = [e.stem for e in previous.entries if e.side == 'val' and left[e.run] and e.stem in here]
    if again:
        raise LadaError(
            f'{counted(len(again), "validation clip")} came back into the training set, for example'
            f' {printable(again[0])}, and training would see them; move them out of'
            f' {printable(inventory.root)}'
        )


def _anything_new(
    previous: Manifest, inventory: Inventory, arguments: SplitArguments, say: Say
) -> bool:
    """Tell whether a run on a finished split has something to do. Raises LadaError where it asks
    for another split.
    """
    _refuse_returned(previous, inventory)
    known = {e.stem for e in previous.entries}
    new = sum(clip.stem not in known for clip in inventory.clips)
    if not arguments.extend and arguments not in [
        SplitArguments(**run['arguments']) for run in previous.runs
    ]:
        raise LadaError(
            f'split already: {printable(inventory.root)}, with'
            f' {as_options(previous.last_arguments)}; take that back with --undo, or give new clips'
            ' a side with --extend'
        )
    if arguments.extend and new:
        return True
    val = sum(e.side == 'val' for e in previous.entries)
    say(
        f'split already: {counted(len(known) - val, "training clip")},'
        f' {counted(val, "validation clip")}; nothing to do'
        + (f'. {counted(new, "new clip")} without a side: use --extend' if new else '')
    )
    return False


def _bar(label: str, **options) -> tqdm:
    return tqdm(desc=label, leave=False, disable=not sys.stderr.isatty(), **options)


def _with_bar(entries: list[Entry], label: str) -> Iterator[ClipFile]:
    """Yield the entries' files beside a bar that counts bytes and clips and tells the time left."""
    total = sum(file.size for e in entries for file in e.files)
    with _bar(label, total=total, unit='B', unit_scale=True) as bar:
        for number, e in enumerate(entries):
            bar.set_postfix_str(f'{number:,}/{len(entries):,} clips', refresh=False)
            for file in e.files:
                yield file
                bar.update(file.size)
