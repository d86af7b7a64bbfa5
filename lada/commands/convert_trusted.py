"""Make a file that Lada loads of a checkpoint that it refuses.

Lada reads checkpoints without running code in them and refuses one that holds anything but tensors
and plain values. Without --i-trust-this-file this only lists what is in the way. With it, the file
is loaded the unsafe way, WHICH RUNS WHATEVER CODE ITS MAKER PUT INSIDE; tensors and plain values
are kept, the rest is left out and listed.
"""

import argparse
from pathlib import Path

from lada.cli import make_parser


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument('checkpoint', type=Path, help='the file that was refused')
    parser.add_argument('output', type=Path, help='file to write')
    parser.add_argument(
        '--i-trust-this-file',
        action='store_true',
        help='you know who made the file, and let it run code on this machine',
    )
    parser.add_argument('--overwrite', action='store_true', help='replace an existing file')
    return parser


def main(args: argparse.Namespace) -> None:
    from lada.checkpoints.converting import convert_trusted_checkpoint, unsafe_types
    from lada.errors import LadaError

    if not args.checkpoint.is_file():
        raise LadaError(f'no file at {args.checkpoint}')
    found = unsafe_types(args.checkpoint)
    print(
        f'{args.checkpoint} holds, besides tensors and plain values:'
        f' {", ".join(found) or "nothing"}'
    )
    if not args.i_trust_this_file:
        raise LadaError(
            'nothing was converted: loading this file can run code; if you know who made it, give '
            '--i-trust-this-file'
        )
    for place in convert_trusted_checkpoint(args.checkpoint, args.output, args.overwrite):
        print(f'left out: {place}')
    print(f'{args.output}: {args.output.stat().st_size / 1e6:.1f} MB')
