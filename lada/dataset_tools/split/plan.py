"""Deciding a split: which clip gets which side. Touches nothing."""

import os
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from lada.dataset_tools.inventory import Clip, Inventory
from lada.dataset_tools.split.manifest import Entry, Manifest, Side, SplitArguments
from lada.dataset_tools.split.packed import is_packed
from lada.dataset_tools.split.selection import choose, draw_order, group_by_source
from lada.dataset_tools.split.transfer import same_file_system
from lada.errors import LadaError
from lada.text import counted, human_bytes, human_seconds, printable

GROUPS_SHOWN = 20
PROBLEMS_SHOWN = 3
COPIED_BYTES_PER_SECOND, HASHED_BYTES_PER_SECOND = 200e6, 400e6
SECONDS_PER_FILE = 1e-4
"""Of one disk in a small machine: for the estimate of a split's time, nothing else."""


@dataclass
class SplitPlan:
    """A split that is decided but not done."""

    train_root: Path
    val_root: Path
    arguments: SplitArguments
    manifest: Manifest
    """As it will be, without the hashes of the files that are still to be transferred."""
    wanted: int
    kinds: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def moved(self) -> list[Entry]:
        return self.manifest.moved()

    def side(self, side: str) -> list[Entry]:
        return [e for e in self.manifest.entries if e.side == side]


def plan_split(
    inventory: Inventory,
    val_root: Path,
    arguments: SplitArguments,
    previous: Manifest | None = None,
) -> SplitPlan:
    """Decide which clips go to the validation set.

    Raises LadaError for clips that cannot be split, and for counts that cannot be met.

    Args:
        inventory: of the dataset.
        val_root: of the validation set.
        arguments: what is asked for.
        previous: the record of earlier runs: clips it lists keep their side, new clips follow their
            source.
    """
    _refuse_problems(inventory)
    known = {e.stem: e for e in previous.entries} if previous else {}
    new = [clip for clip in inventory.clips if clip.stem not in known]
    if not new and not known:
        raise LadaError(
            f'an empty dataset: {printable(inventory.root)} holds no clips; create some first'
        )
    total = len(known) + len(new)
    wanted = _wanted(arguments, total)
    entries = list(known.values())
    already = sum(e.side == 'val' for e in entries)

    members: list[Clip | Entry] = [*new, *entries]
    groups = (
        group_by_source(members)
        if arguments.group_by == 'source'
        else [[i] for i in range(len(members))]
    )
    labels = [
        min(members[i].name if arguments.group_by == 'source' else members[i].stem for i in g)
        for g in groups
    ]
    sides: dict[int, Side] = {}
    free = []
    for number, group in enumerate(groups):
        present = {entry.side for entry in (members[i] for i in group) if isinstance(entry, Entry)}
        if present:
            sides[number] = 'val' if present == {'val'} else 'train'
        else:
            free.append(number)
    already += sum(
        i < len(new) for number, side in sides.items() if side == 'val' for i in groups[number]
    )
    chosen = _choose(
        arguments, groups, labels, free, new, wanted - already, bool(previous), inventory.root
    )

    runs = list(previous.runs) if previous else []
    for number, group in enumerate(groups):
        side: Side = sides.get(number) or ('val' if number in chosen else 'train')
        for clip in (new[i] for i in group if i < len(new)):
            entries.append(
                Entry(
                    clip.stem, labels[number], clip.name, clip.source, side, len(runs), clip.files
                )
            )
    relative = os.path.relpath(val_root.resolve(), inventory.root.resolve())
    manifest = Manifest(relative, runs, sorted(entries, key=lambda e: e.stem))
    folders = {
        os.path.dirname(f.path)
        for e in entries
        if e.run == len(runs) and e.side == 'val'
        for f in e.files
    }
    manifest.add_run(arguments, _folders_to_make(val_root, folders))
    return SplitPlan(
        inventory.root, val_root, arguments, manifest, wanted, {c.stem: c.kind for c in new}
    )


def _refuse_problems(inventory: Inventory) -> None:
    if inventory.problems:
        first = '; '.join(
            f'{printable(stem)}: {problem}' for stem, problem in inventory.problems[:PROBLEMS_SHOWN]
        )
        more = len(inventory.problems) - PROBLEMS_SHOWN
        rest = f'; and {more} more' if more > 0 else ''
        raise LadaError(
            f'{counted(len(inventory.problems), "clip")} cannot be split: {first}{rest}; repair'
            f' them or move them aside with check-dataset.py {printable(inventory.root)} --fix'
            ' quarantine'
        )


def _wanted(arguments: SplitArguments, total: int) -> int:
    """Return the number of validation clips asked for; at least one, and one left for training."""
    if arguments.val_size is not None:
        if not 0 < arguments.val_size < total:
            raise LadaError(
                f'--val-size {arguments.val_size} is impossible: there are {counted(total, "clip")}'
                f' and both sides need one; use 1 to {total - 1}'
            )
        return arguments.val_size
    assert arguments.val_ratio is not None
    if total < 2:
        raise LadaError('a single clip cannot be split: both sides need one; add clips')
    return min(max(round(arguments.val_ratio * total), 1), total - 1)


def _choose(
    arguments: SplitArguments,
    groups: list[list[int]],
    labels: list[str],
    free: list[int],
    new: list[Clip],
    wanted: int,
    extending: bool,
    root: Path,
) -> set[int]:
    """Return the numbers of the groups, among ``free``, that go to the validation set."""
    sizes = [len(groups[g]) for g in free]
    low, high = (0, sum(sizes)) if extending else (1, sum(sizes) - 1)
    kinds = [clip.kind for clip in new] if arguments.stratify else None
    order = draw_order([groups[g] for g in free], [labels[g] for g in free], kinds, arguments.seed)
    try:
        return {free[i] for i in choose(sizes, order, max(wanted, 0), low, high)}
    except ValueError:
        raise LadaError(
            f'all {counted(len(new), "clip")} in {printable(root)} come from one source,'
            f' {printable(labels[0])}, and clips of one source stay together: add clips of another'
            ' video, or use --group-by clip and know that validation then shows scenes the network'
            ' has been trained on'
        ) from None


def _folders_to_make(val_root: Path, needed: set[str]) -> list[str]:
    """Return the folders, relative to the validation root and parents first, that do not
    exist yet.
    """
    made = []
    parent = val_root
    while not parent.exists():
        made.append(os.path.relpath(parent, val_root))
        parent = parent.parent
    made.reverse()
    below = (needed | {str(p) for folder in needed for p in Path(folder).parents}) - {'.', ''}
    return made + sorted(folder for folder in below if not (val_root / folder).exists())


def describe(plan: SplitPlan) -> list[str]:
    """Return the lines that say what a split will do. The dry run and the real run print
    the same.
    """
    arguments, moved = plan.arguments, plan.moved
    train, val = plan.side('train'), plan.side('val')
    noun = 'source' if arguments.group_by == 'source' else 'group'
    lines = [
        (
            f'dataset:    {printable(plan.train_root)}: {counted(len(train) + len(val), "clip")} '
            f'of {counted(len({e.group for e in plan.manifest.entries}), noun)}'
        ),
        (
            f'training:   {counted(len(train), "clip")} of'
            f' {counted(len({e.group for e in train}), noun)}'
        ),
        (
            f'validation: {counted(len(val), "clip")} of'
            f' {counted(len({e.group for e in val}), noun)} in {printable(plan.val_root)}'
        ),
    ]
    if plan.manifest.last_run > 0:
        fresh = sum(e.run == plan.manifest.last_run for e in plan.manifest.entries)
        lines.append(
            f'extension:  {counted(fresh, "new clip")}, {len(moved)} of them for validation; '
            'clips that have a side keep it'
        )
    asked = f'{plan.wanted:,}' + (
        f' (ratio {arguments.val_ratio:g})' if arguments.val_ratio is not None else ''
    )
    off = len(val) - plan.wanted
    lines.append(
        f'asked for:  {asked} validation clips; '
        + (
            'met exactly'
            if off == 0
            else f'off by {off:+,}: whole {noun}s that come closer do not exist'
        )
    )
    if arguments.group_by == 'source':
        shown = Counter(e.group for e in moved)
        lines += [
            f'  validation: {printable(group)}: {counted(count, "clip")}'
            for group, count in sorted(shown.items())[:GROUPS_SHOWN]
        ]
        if len(shown) > GROUPS_SHOWN:
            lines.append(f'  validation: and {counted(len(shown) - GROUPS_SHOWN, "more source")}')
    lines.append(f'work:       {_work(plan)}')
    if not arguments.remove:
        lines.append(
            'note:       the validation clips also stay in the training set. The network will have'
            ' been trained on them, so PSNR and SSIM will look better than they are; use --mode'
            ' move or --remove-from-train for honest numbers'
        )
    if _origins(train) & _origins(val):
        lines.append(
            'note:       clips of the same source are on both sides; validation will look better'
            ' than it is'
        )
    return lines


def _work(plan: SplitPlan) -> str:
    """Return what there is to do, and about how long it takes."""
    if is_packed(plan.train_root):
        return 'write two tables; the tar files stay where they are, and both sides need them'
    arguments, moved = plan.arguments, plan.moved
    files = sum(len(e.files) for e in moved)
    size = sum(f.size for e in moved for f in e.files)
    copies = arguments.mode == 'copy' or (
        arguments.mode == 'move' and not same_file_system(plan.train_root, plan.val_root)
    )
    seconds = files * SECONDS_PER_FILE + size / (
        COPIED_BYTES_PER_SECOND if copies else HASHED_BYTES_PER_SECOND
    )
    staying = (
        [f for e in plan.manifest.stayed() for f in e.files] if arguments.hash == 'all' else []
    )
    staying_size = sum(f.size for f in staying)
    seconds += len(staying) * SECONDS_PER_FILE + staying_size / HASHED_BYTES_PER_SECOND
    verb = {'copy': 'copy', 'move': 'move', 'hardlink': 'hard-link', 'symlink': 'symlink'}[
        arguments.mode
    ]
    return (
        f'{verb} {counted(files, "file")}, {human_bytes(size)}'
        + (
            ', then remove them from the training set'
            if arguments.remove and arguments.mode != 'move'
            else ''
        )
        + (
            f'; hash the other {counted(len(staying), "file")}, {human_bytes(staying_size)}'
            if staying
            else ''
        )
        + f'; about {human_seconds(seconds)}'
    )


def _origins(entries: list[Entry]) -> set[str | None]:
    """Return the names and content hashes of the clips' sources."""
    return ({e.name for e in entries} | {e.source for e in entries}) - {None}


def as_report(plan: SplitPlan) -> dict:
    """Return everything about a plan for ``--report``."""
    per_group: dict[str, Counter] = defaultdict(Counter)
    for e in plan.manifest.entries:
        per_group[e.group][e.side] += 1
    kinds: dict[tuple[int, int], Counter] = defaultdict(Counter)
    for e in plan.manifest.entries:
        if e.stem in plan.kinds:
            kinds[plan.kinds[e.stem]][e.side] += 1
    return {
        'train_root': str(plan.train_root),
        'val_root': str(plan.val_root),
        **plan.manifest.runs[-1],
        'wanted': plan.wanted,
        'train_clips': len(plan.side('train')),
        'val_clips': len(plan.side('val')),
        'groups': {group: dict(count) for group, count in sorted(per_group.items())},
        'strata': [
            {
                'crop_side': round(2 ** (kind[0] / 2)),
                'block_size': round(2 ** (kind[1] / 2), 1),
                **count,
            }
            for kind, count in sorted(kinds.items())
        ],
        'transfers': [{'clip': e.stem, 'files': [f.path for f in e.files]} for e in plan.moved],
    }
