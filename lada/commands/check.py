"""Check a dataset of clips, or a split for leakage."""

import argparse
import json
from collections.abc import Sized
from pathlib import Path

from lada.cli import make_parser, usable_cores
from lada.commands.next_step import say_next
from lada.errors import LadaError
from lada.files import write_atomically
from lada.text import counted, printable


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this command's options."""
    parser = make_parser(
        'Check every clip of a dataset: files there and decodable, frame counts and sizes in'
        ' agreement, masks not empty, no duplicates. Or, with --leakage, look for clips of a'
        ' validation set that training has seen: the same source, the same content, or frames that'
        ' look the same. Exit status 1 if anything was found.'
    )
    parser.add_argument('root', type=Path, nargs='?', metavar='ROOT', help='dataset to check')
    parser.add_argument(
        '--leakage',
        type=Path,
        nargs=2,
        metavar=('TRAIN', 'VAL'),
        help='compare two datasets instead',
    )
    parser.add_argument(
        '--sheet',
        type=Path,
        default=Path('leakage.png'),
        metavar='FILE',
        help='picture of the pairs that --leakage finds',
    )
    parser.add_argument(
        '--fix',
        choices=['quarantine', 'restore'],
        help=(
            'quarantine: move bad clips to ROOT/quarantine; restore: move them back, without'
            ' checking'
        ),
    )
    parser.add_argument(
        '--drop',
        type=Path,
        metavar='FILE',
        help=(
            'move the clips that FILE names to ROOT/quarantine, without checking: a stem a line, as'
            ' the page of preview --html saves it; --fix restore moves them back'
        ),
    )
    parser.add_argument('--json', action='store_true', help='print JSON instead of a table')
    parser.add_argument(
        '--workers',
        type=int,
        default=usable_cores(),
        metavar='N',
        help='clips decoded at the same time; 1 uses no further process',
    )
    return parser


def main(args: argparse.Namespace) -> int:
    """Check one dataset or compare two; returns 1 if anything was found."""
    if (args.root is None) == (args.leakage is None):
        raise LadaError('what to check: give either the root of a dataset, or --leakage TRAIN VAL')
    if args.leakage and args.fix:
        raise LadaError(
            '--fix is for one dataset: which side of a leak should go is for you to decide'
        )
    if args.drop is not None:
        if args.leakage or args.fix:
            raise LadaError('--drop is for one dataset, and not together with --fix')
        return _drop(args)
    if args.fix == 'restore':
        return _restore(args.root)
    return _check_leakage(args) if args.leakage else _check(args)


def _drop(args: argparse.Namespace) -> int:
    from lada.dataset_tools.check.dropping import drop_marked

    dropped = drop_marked(args.root, args.drop)
    if args.json:
        print(json.dumps({'root': str(args.root), **dropped._asdict()}))
        return 0
    before = f', {dropped.before:,} were there before' if dropped.before else ''
    print(f'{counted(dropped.clips, "clip")} moved to quarantine{before}; --fix restore undoes it')
    return 0


def _restore(root: Path) -> int:
    from lada.dataset_tools.check.quarantine import has_quarantine, restore
    from lada.dataset_tools.layout import dataset_sides

    sides = list(dataset_sides(root).values())
    for folder in [side for side in sides if has_quarantine(side)] or sides[:1]:
        count = restore(folder)
        where = '' if folder == root else f'{printable(folder)}: '
        print(f'{where}{counted(count, _thing(folder))} moved back')
    return 0


def _check(args: argparse.Namespace) -> int:
    from lada.dataset_tools.check import checking
    from lada.dataset_tools.check.quarantine import QUARANTINE_FOLDER, quarantine

    total, problems = checking.check_dataset(args.root, args.workers)
    moved = quarantine(args.root, problems) if args.fix == 'quarantine' and problems else 0
    if args.json:
        print(
            json.dumps(
                checking.as_json(args.root, total, problems) | {'quarantined_files': moved},
                indent=1,
            )
        )
    else:
        for line in checking.as_table(problems) if problems else ():
            print(line)
        print(
            f'{printable(args.root)}: {counted(total, "clip")}, {counted(len(problems), "problem")}'
        )
        if moved:
            print(
                f'{counted(moved, _thing(args.root))} moved to'
                f' {printable(args.root / QUARANTINE_FOLDER)}'
            )
        _say_next(args, total, problems, moved)
    return 1 if problems else 0


def _thing(root: Path) -> str:
    """Return what is moved aside: of a packed dataset no file moves."""
    from lada.data.packed import find_packed

    return 'file' if find_packed(root) is None else 'clip'


def _say_next(args: argparse.Namespace, total: int, problems: Sized, moved: int) -> None:
    from lada.dataset_tools.split.manifest import MANIFEST_NAME

    if problems and not moved:
        say_next('check', args.root, '--fix', 'quarantine')
    elif not (args.root / MANIFEST_NAME).exists():
        ratio = '0.2' if total < 100 else '0.1'
        say_next('split', '--src-root', args.root, '--val-ratio', ratio, '--mode', 'move')


def _check_leakage(args: argparse.Namespace) -> int:
    from lada.dataset_tools.check import leakage

    train, val = args.leakage
    leaks, counts = leakage.find_leaks(train, val, args.workers)
    if leaks:
        write_atomically(args.sheet, leakage.contact_sheet(leaks, train, val))
    if args.json:
        print(json.dumps(leakage.as_json(leaks, counts), indent=1))
        return 1 if leaks else 0
    for line in leakage.as_table(leaks) if leaks else ():
        print(line)
    print(
        f'{counted(counts["train"], "training clip")}, {counted(counts["val"], "validation clip")}:'
        f' {counted(len(leaks), "pair")} with something in common'
    )
    if leaks:
        print(f'pictures: {printable(args.sheet)}')
    return 1 if leaks else 0
