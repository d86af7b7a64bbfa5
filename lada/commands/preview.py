"""Show what the network will see of a dataset."""

import argparse
from pathlib import Path

from lada.cli import make_parser
from lada.errors import LadaError
from lada.files import refuse_to_replace
from lada.folders import META_FOLDER
from lada.text import printable


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this command's options."""
    parser = make_parser(
        'Write a contact sheet of training samples: a row a clip, the input with its mosaic, the'
        ' truth, and the mask of what the mosaic covers.'
    )
    parser.add_argument('root', type=Path, metavar='ROOT', help='folder of the dataset')
    parser.add_argument(
        '--output',
        '--out',
        dest='output',
        type=Path,
        default=Path('preview.png'),
        metavar='FILE',
        help='PNG file to write',
    )
    parser.add_argument(
        '--clips', type=int, default=8, metavar='N', help='clips to show, spread over the dataset'
    )
    parser.add_argument(
        '--frames',
        type=int,
        default=8,
        metavar='N',
        help='frames of a sample, of which one is shown',
    )
    parser.add_argument('--size', type=int, default=256, metavar='PIXELS', help='side of the input')
    parser.add_argument(
        '--no-degrade', action='store_true', help='leave out compression, blur and noise'
    )
    parser.add_argument('--seed', type=int, default=42, help='seed of the training run to look at')
    parser.add_argument('--epoch', type=int, default=0, help='epoch of it: each has other mosaics')
    parser.add_argument('--overwrite', action='store_true', help='replace the file if it exists')
    return parser


def main(args: argparse.Namespace) -> None:
    """Write the contact sheet."""
    if args.output.suffix.lower() != '.png':
        raise LadaError(
            f'not a PNG file: {printable(args.output)}; give --output a name ending in .png'
        )
    refuse_to_replace([args.output], args.overwrite, other='choose another --output')
    from lada.data import MosaicVideoDataset
    from lada.dataset_tools.check.preview import write_contact_sheet

    dataset = MosaicVideoDataset(
        args.root / META_FOLDER,
        args.frames,
        min_num_frame=1,
        degrade=not args.no_degrade,
        use_hflip=True,
        lq_size=args.size,
        seed=args.seed,
    )
    write_contact_sheet(args.output, dataset, args.clips, args.epoch)
    print(
        f'{printable(args.output)}: input, truth and mask of {min(args.clips, len(dataset))} of'
        f' {len(dataset)} clips'
    )
