"""Split a dataset of clips into training and validation."""

import argparse
import json
import sys
from pathlib import Path

from lada.cli import make_parser
from lada.commands.next_step import near, say_next
from lada.files import write_atomically
from lada.folders import shipped_folder


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this command's options."""
    parser = make_parser(
        'Give a part of a dataset to validation, so that no source video is on both sides. Killed'
        ' at any moment, the same command finishes the work and --undo takes it back. Run on a'
        ' finished split it changes nothing.'
    )
    parser.add_argument('--src-root', type=Path, required=True, metavar='ROOT', help='the dataset')
    parser.add_argument(
        '--val-root', type=Path, metavar='DIR', help='the validation set; by default ROOT + _val'
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument('--val-size', type=int, metavar='N', help='number of validation clips')
    size.add_argument(
        '--val-ratio', type=float, metavar='R', help='share of validation clips, between 0 and 1'
    )
    parser.add_argument(
        '--seed', type=int, default=42, help='decides, with the data, which clips are chosen'
    )
    parser.add_argument(
        '--group-by',
        choices=['source', 'clip'],
        default='source',
        help='what stays together: clips of one source video, or only the files of a clip',
    )
    parser.add_argument(
        '--stratify',
        action='store_true',
        default=True,
        help=(
            'keep the mix of crop sizes and block sizes alike on both sides, as far as groups allow'
        ),
    )
    parser.add_argument(
        '--no-stratify', dest='stratify', action='store_false', help='choose at random only'
    )
    parser.add_argument(
        '--mode',
        choices=['copy', 'hardlink', 'symlink', 'move'],
        default='copy',
        help='how files get to the validation set',
    )
    leave = parser.add_mutually_exclusive_group()
    leave.add_argument(
        '--remove-from-train',
        dest='remove',
        action='store_true',
        default=None,
        help='take validation clips out of the training set; always so with --mode move',
    )
    leave.add_argument(
        '--keep-in-train',
        dest='remove',
        action='store_false',
        help=(
            'leave validation clips in the training set as well, which flatters PSNR and SSIM;'
            ' default unless --mode move'
        ),
    )
    parser.add_argument(
        '--hash',
        choices=['all', 'moved'],
        default='all',
        help=(
            'which files the manifests record hashes of: all, which reads the whole dataset once,'
            ' or only those that go to the validation set and the metadata'
        ),
    )
    parser.add_argument(
        '--extend',
        action='store_true',
        help='give a side to clips that were added since the split; no other clip moves',
    )
    parser.add_argument(
        '--undo', action='store_true', help='take the last run back, finished or not'
    )
    parser.add_argument(
        '--dry-run', action='store_true', help='say what would be done and touch nothing'
    )
    parser.add_argument('--yes', action='store_true', help='do not ask')
    parser.add_argument('--report', type=Path, metavar='FILE', help='write all of the plan as JSON')
    return parser


def main(args: argparse.Namespace) -> int:
    """Split, or take a split back; returns 1 when the user said no."""
    from lada.dataset_tools.split.manifest import SplitArguments
    from lada.dataset_tools.split.plan import as_report
    from lada.dataset_tools.split.splitting import split_dataset, undo_split

    confirm = (lambda: True) if args.yes else _ask
    val_root = args.val_root
    if args.undo:
        done = undo_split(args.src_root, val_root, dry_run=args.dry_run, confirm=confirm)
        return _finish(args, done, 'taken back')
    val_root = val_root or default_val_root(args.src_root)
    remove = args.mode == 'move' if args.remove is None else args.remove
    arguments = SplitArguments(
        args.val_size,
        args.val_ratio,
        args.seed,
        args.group_by,
        args.stratify,
        args.mode,
        remove,
        args.extend,
        args.hash,
    )

    def report(plan):
        if args.report:
            write_atomically(args.report, json.dumps(as_report(plan), indent=1).encode())

    done = split_dataset(
        args.src_root, val_root, arguments, dry_run=args.dry_run, confirm=confirm, planned=report
    )
    status = _finish(args, done, 'done')
    if done and not args.dry_run:
        say_next(
            'train',
            'configs/basicvsrpp/mosaic_restoration_demo_cpu.py',
            '--load-from',
            near(shipped_folder('assets/weights') / 'starter.safetensors'),
            '--work-dir',
            Path('experiments', args.src_root.resolve().name),
            LADA_DATA_ROOT=args.src_root,
            LADA_VAL_ROOT=val_root,
        )
    return status


def default_val_root(src_root: Path) -> Path:
    """Return the folder beside the dataset whose name ends in ``_val``."""
    # '.' and '..' have no name of their own to add to.
    named = src_root if src_root.name not in ('', '..') else src_root.resolve()
    return named.with_name(f'{named.name}_val')


def _finish(args: argparse.Namespace, done: bool, word: str) -> int:
    if not args.dry_run:
        print(word if done else 'nothing was changed', file=sys.stderr)
    return 0 if done else 1


def _ask() -> bool:
    sys.stdout.flush()
    print('Go ahead? [y/N] ', end='', file=sys.stderr, flush=True)
    answer = sys.stdin.readline()
    if not answer:
        print('\nno answer: use --yes where nobody can be asked', file=sys.stderr)
    return answer.strip().lower() in ('y', 'yes')
