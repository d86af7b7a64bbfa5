"""Pack datasets into a few tar files, or unpack them.

Three small files a clip end at a disk's number of files and choke network file systems. Training,
checking, splitting and evaluating take a packed dataset as they take one of single files.
"""

import argparse
from pathlib import Path

from lada.cli import make_parser
from lada.errors import LadaError
from lada.text import counted, printable


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this command's options."""
    parser = make_parser(__doc__)
    parser.add_argument(
        'roots',
        type=Path,
        nargs='+',
        metavar='ROOT',
        help='dataset; of several, packed or not, one packed dataset is made',
    )
    parser.add_argument(
        '--output', type=Path, required=True, metavar='DIR', help='folder of the other dataset'
    )
    parser.add_argument(
        '--unpack', action='store_true', help='write the clips of a packed dataset as single files'
    )
    parser.add_argument(
        '--tar-size', type=float, default=1.0, metavar='GB', help='about how large a tar file gets'
    )
    return parser


def main(args: argparse.Namespace) -> None:
    """Pack or unpack; the datasets given stay as they are."""
    from lada.dataset_tools.packing import pack_dataset, unpack_dataset

    if not args.tar_size > 0:
        raise LadaError(f'--tar-size {args.tar_size:g} is no size: use a number above 0')
    if args.unpack:
        if len(args.roots) > 1:
            raise LadaError('--unpack takes one dataset: unpack them one by one')
        count = unpack_dataset(args.roots[0], args.output)
    else:
        count = pack_dataset(args.roots, args.output, int(args.tar_size * 1e9))
    print(f'{printable(args.output)}: {counted(count, "clip")}')
