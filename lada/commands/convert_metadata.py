"""Write a dataset's metadata in another version, for example the one that public Lada reads.

The dataset stays as it is: a second one is made, whose videos are hard links where possible.
"""

import argparse
from pathlib import Path

from lada.cli import make_parser
from lada.text import counted, printable


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument('root', type=Path, metavar='ROOT', help='the dataset')
    parser.add_argument(
        '--output', type=Path, required=True, metavar='DIR', help='folder of the second dataset'
    )
    parser.add_argument(
        '--metadata-version',
        type=int,
        choices=[2, 3],
        default=2,
        help="2: public Lada's; 3: this toolkit's",
    )
    return parser


def main(args: argparse.Namespace) -> int:
    """Convert; returns 1 when clips were left out."""
    from lada.dataset_tools.converting import convert_dataset

    done, bad = convert_dataset(args.root, args.output, args.metadata_version)
    print(
        f'{printable(args.output)}: {counted(done, "clip")} with metadata of version'
        f' {args.metadata_version}' + (f', {bad} left out' if bad else '')
    )
    return 1 if bad else 0
