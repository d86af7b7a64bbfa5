"""Reduce a training checkpoint to the weights that inference needs."""

import argparse
from pathlib import Path

from lada.cli import make_parser


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument(
        'checkpoint',
        type=Path,
        help='training checkpoint, iter_<n>.pth, or work directory of a run: its best',
    )
    parser.add_argument(
        'output',
        type=Path,
        help="file to write, .pth or .safetensors; public Lada's applications find"
        ' lada_mosaic_restoration_model_NAME.pth among their weights by themselves',
    )
    parser.add_argument('--overwrite', action='store_true', help='replace an existing file')
    return parser


def main(args: argparse.Namespace) -> None:
    from lada.checkpoints.exporting import export_weights
    from lada.checkpoints.finding import checkpoint_at

    checkpoint = Path(checkpoint_at(args.checkpoint))
    count = export_weights(checkpoint, args.output, args.overwrite)
    print(f'{args.output}: {count} tensors, {args.output.stat().st_size / 1e6:.1f} MB')
