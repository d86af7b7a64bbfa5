"""Show what the network will see of a dataset."""

import argparse
from pathlib import Path

from lada.cli import make_parser, usable_cores
from lada.errors import LadaError
from lada.files import refuse_to_replace
from lada.folders import META_FOLDER
from lada.text import counted, printable


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this command's options."""
    parser = make_parser(
        'Write a contact sheet of training samples: a row a clip, the input with its mosaic, the'
        ' truth, and the mask of what the mosaic covers. Or, with --html, a page of all clips to'
        ' look through, on which those that are to go are marked for check --drop.'
    )
    parser.add_argument(
        'root',
        type=Path,
        metavar='ROOT',
        help='folder of the dataset; with --html also one that holds train and val',
    )
    parser.add_argument(
        '--html',
        action='store_true',
        help='write a page of all clips, or bring it up to date: what is there already stays',
    )
    parser.add_argument(
        '--output',
        '--out',
        dest='output',
        type=Path,
        metavar='FILE',
        help='PNG file to write (preview.png), or the folder of the page (preview)',
    )
    parser.add_argument(
        '--clips',
        type=int,
        metavar='N',
        help='clips of the contact sheet, spread over the dataset (8)',
    )
    parser.add_argument(
        '--frames',
        type=int,
        metavar='N',
        help='frames of a sample: of 8 the sheet shows one, the page has videos of 30',
    )
    parser.add_argument('--size', type=int, default=256, metavar='PIXELS', help='side of the input')
    parser.add_argument(
        '--no-degrade', action='store_true', help='leave out compression, blur and noise'
    )
    parser.add_argument('--seed', type=int, default=42, help='seed of the training run to look at')
    parser.add_argument('--epoch', type=int, default=0, help='epoch of it: each has other mosaics')
    parser.add_argument('--overwrite', action='store_true', help='replace the file if it exists')
    parser.add_argument(
        '--workers',
        type=int,
        default=usable_cores(),
        metavar='N',
        help='clips of the page drawn at the same time; 1 uses no further process',
    )
    return parser


def main(args: argparse.Namespace) -> None:
    """Write the contact sheet or the page."""
    if args.frames is not None and args.frames < 1:
        raise LadaError(f'not a number of frames: {args.frames}; use at least 1')
    if args.html:
        _write_page(args)
    else:
        _write_sheet(args)


def _write_page(args: argparse.Namespace) -> None:
    if args.clips is not None:
        raise LadaError('--html shows all clips: leave --clips out')
    from lada.dataset_tools.browse.browsing import PAGE, write_page
    from lada.dataset_tools.browse.media import Look

    folder = args.output or Path('preview')
    look = Look(args.frames or 30, args.size, not args.no_degrade, args.seed, args.epoch)
    done = write_page(args.root, folder, look, args.workers, args.overwrite)
    problems = f', {done.problems:,} of them cannot be shown' if done.problems else ''
    print(
        f'{printable(folder / PAGE)}: {counted(done.clips, "clip")}{problems}; {done.made:,} drawn'
    )


def _write_sheet(args: argparse.Namespace) -> None:
    output, clips = args.output or Path('preview.png'), 8 if args.clips is None else args.clips
    if output.suffix.lower() != '.png':
        raise LadaError(f'not a PNG file: {printable(output)}; give --output a name ending in .png')
    refuse_to_replace([output], args.overwrite, other='choose another --output')
    from lada.data import MosaicVideoDataset
    from lada.dataset_tools.check.preview import write_contact_sheet

    dataset = MosaicVideoDataset(
        args.root / META_FOLDER,
        args.frames or 8,
        min_num_frame=1,
        degrade=not args.no_degrade,
        use_hflip=True,
        lq_size=args.size,
        seed=args.seed,
    )
    write_contact_sheet(output, dataset, clips, args.epoch)
    print(
        f'{printable(output)}: input, truth and mask of {min(clips, len(dataset))} of'
        f' {len(dataset)} clips'
    )
