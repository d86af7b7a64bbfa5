"""Turn a stage 1 checkpoint into the weights that stage 2 starts from (generator and its average).

Lada's own stage 2 takes a stage 1 checkpoint as it is (--load-from); this makes a file for tools
that do not.
"""

import argparse
from pathlib import Path

from lada.cli import make_parser


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument(
        'checkpoint',
        type=Path,
        help='training checkpoint of stage 1, iter_<n>.pth, or work directory: its best',
    )
    parser.add_argument('output', type=Path, help='file to write')
    parser.add_argument('--overwrite', action='store_true', help='replace an existing file')
    return parser


def main(args: argparse.Namespace) -> None:
    from lada.checkpoints.exporting import convert_to_stage2
    from lada.checkpoints.finding import checkpoint_at

    checkpoint = Path(checkpoint_at(args.checkpoint))
    count = convert_to_stage2(checkpoint, args.output, args.overwrite)
    print(f'{args.output}: {count} tensors, {args.output.stat().st_size / 1e6:.1f} MB')
