"""Restore the mosaic regions of a whole video with a trained network.

The result is plausible, not true: it is never evidence of what was hidden.
"""

import argparse
import math
from itertools import tee
from pathlib import Path
from typing import TYPE_CHECKING

from lada.cli import add_launcher, make_parser
from lada.errors import LadaError
from lada.files import beside, refuse_to_replace

if TYPE_CHECKING:
    from lada.engine.distributed.team import Team
    from lada.inference.restore import Restorer


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument('--input', required=True, type=Path, metavar='VIDEO', help='the video')
    parser.add_argument(
        '--checkpoint',
        metavar='CKPT',
        help=(
            'training checkpoint, exported weights (.pth, .safetensors), or work directory of a'
            ' run, whose best checkpoint counts; none: the starter network'
        ),
    )
    parser.add_argument(
        '--method',
        choices=['network', 'interpolate'],
        default='network',
        help=(
            'interpolate: no network, the blocks are smoothed so that they average to the mosaic'
            ' again; what a network has to beat'
        ),
    )
    parser.add_argument(
        '--output',
        required=True,
        type=Path,
        metavar='OUT',
        help='file to write (mp4, mov, mkv, webm)',
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        '--mask',
        type=Path,
        metavar='MASK_VIDEO',
        help=(
            'video of the same size and length, bright where the mosaic is (without --mask and'
            ' --boxes the mosaic is looked for)'
        ),
    )
    where.add_argument(
        '--boxes',
        type=Path,
        metavar='FILE',
        help=(
            'CSV with the columns first, last, x, y, width, height: pixels, and frame numbers from'
            ' 0; or the lines of JSON that creation takes'
        ),
    )
    parser.add_argument(
        '--config', help="the checkpoint's config (none: sizes are read from the weights)"
    )
    parser.add_argument('--overwrite', action='store_true', help='replace the output file')
    parser.add_argument(
        '--resume',
        action='store_true',
        help='continue OUT-partial of a run that failed or was stopped',
    )
    parser.add_argument(
        '--compare',
        action='store_true',
        help='also write OUT-compare with input and output side by side',
    )
    parser.add_argument(
        '--synthesize-mosaic',
        action='store_true',
        help=(
            'self-test: the input is clean, draw the mosaic (without --mask and --boxes on an'
            ' ellipse in the middle), restore it and measure the result'
        ),
    )
    parser.add_argument(
        '--block-size',
        type=int,
        metavar='PIXELS',
        help='of the synthesized mosaic (none: as in the training data)',
    )
    parser.add_argument(
        '--window', type=int, default=30, metavar='FRAMES', help='frames the network sees at once'
    )
    parser.add_argument(
        '--overlap', type=int, default=6, metavar='FRAMES', help='frames shared by two windows'
    )
    parser.add_argument(
        '--size', type=int, default=256, metavar='PIXELS', help="side of the network's input"
    )
    parser.add_argument(
        '--feather', type=int, default=4, metavar='PIXELS', help='width of the blend at the edge'
    )
    parser.add_argument(
        '--codec', help='encoder (none: x264 for 8 bits, x265 for more, VP9 in WebM)'
    )
    parser.add_argument(
        '--half', action='store_true', help='float16 where it is safe: less GPU memory (CUDA only)'
    )
    parser.add_argument('--device', help='cpu, cuda or cuda:N (none: cuda where there is one)')
    add_launcher(parser)
    return parser


def main(args: argparse.Namespace) -> None:
    check(args)
    from lada.engine.distributed.team import team
    from lada.models.out_of_memory import RESTORING, out_of_memory

    with team(args.launcher) as processes:
        restorer = make_restorer(args, processes)
        if not processes.leads:
            with out_of_memory(RESTORING):
                processes.follow(restorer.network)
        restore(args, restorer)


def make_restorer(args: argparse.Namespace, processes: 'Team') -> 'Restorer':
    """Return what every process has: the network, or what stands in for it."""
    from lada.checkpoints.finding import checkpoint_at, starter_weights
    from lada.engine.config import load_config
    from lada.inference.interpolation import ConsistentInterpolation
    from lada.inference.loading import choose_device, load_generator
    from lada.inference.restore import Restorer
    from lada.models.out_of_memory import RESTORING, out_of_memory

    device = choose_device(args.device)
    if args.half and device.type != 'cuda':
        raise LadaError(f'--half: for CUDA, and the device is {device}; leave it out')
    if args.method == 'interpolate':
        generator, size = ConsistentInterpolation(), None
    else:
        config = load_config(args.config) if args.config else None
        with out_of_memory(RESTORING):
            weights = checkpoint_at(args.checkpoint or starter_weights())
            generator = load_generator(weights, device, config)
        size = args.size
    return Restorer(
        generator,
        device,
        window=args.window,
        overlap=args.overlap,
        size=size,
        half=args.half,
        processes=processes,
    )


def restore(args: argparse.Namespace, restorer: 'Restorer') -> None:
    from lada.inference.find_video import FoundMosaics, find_in_video
    from lada.inference.regions import (
        masks_from_boxes,
        masks_from_video,
        masks_of_ellipse,
    )
    from lada.inference.restore_video import restore_video
    from lada.inference.self_test import SyntheticMosaic
    from lada.models.guidance import takes_grid
    from lada.models.out_of_memory import RESTORING, out_of_memory
    from lada.video import VideoRewriter, count_frames, probe
    from lada.video.boxes import read_boxes

    video = probe(args.input)
    found = regions = None
    if args.mask:
        masks = masks_from_video(args.mask, video)
    elif args.boxes:
        masks = masks_from_boxes(read_boxes(args.boxes), video)
    elif args.synthesize_mosaic:
        masks = masks_of_ellipse(video)
    else:
        found = FoundMosaics(video)
        regions, looked_at = tee(find_in_video(video))
        masks = found.collect(looked_at)
    if regions is None and takes_grid(restorer.generator):
        regions = find_in_video(video)
    synthetic = SyntheticMosaic(args.block_size) if args.synthesize_mosaic else None
    compare = compare_path(args.output) if args.compare else None
    rewriter = VideoRewriter(
        args.input, args.output, codec=args.codec, compare=compare, resume=args.resume
    )
    try:
        with rewriter:
            known = rewriter.notes
            for note in known:
                print(f'note: {note}', flush=True)
            if rewriter.done:
                print(f'continuing behind frame {rewriter.done}', flush=True)
            with out_of_memory(RESTORING):
                summary = restore_video(
                    rewriter,
                    restorer,
                    masks,
                    regions,
                    feather=args.feather,
                    total=count_frames(args.input),
                    synthetic=synthetic,
                )
    finally:
        if rewriter.partial:
            print(
                f'note: what was restored until then is in {rewriter.partial};'
                ' --resume continues it',
                flush=True,
            )
    for line in found.lines() if found else ():
        print(line)
    if not math.isnan(summary.consistency):
        print(f'block means of the output miss the mosaic by {summary.consistency:.2f} grey levels')
    for note in summary.notes:
        if note not in known:
            print(f'note: {note}')
    if synthetic is not None:
        print(f'Blocks of {synthetic.block_size} pixels; measured before encoding:')
        print(synthetic.table())
    print(
        f'{summary.frames} frames in {summary.seconds:.1f} s'
        f' ({summary.frames / summary.seconds:.2f} frames/s): {args.output}'
        + (f' and {compare}' if compare else '')
    )


def check(args: argparse.Namespace) -> None:
    if args.block_size is not None and (not args.synthesize_mosaic or args.block_size < 2):
        raise LadaError('--block-size: at least 2, and only with --synthesize-mosaic')
    if args.method == 'interpolate' and (args.checkpoint or args.config or args.half):
        raise LadaError(
            '--method interpolate: no network; leave --checkpoint, --config, --half out'
        )
    if args.window < 1 or args.feather < 0:
        raise LadaError('--window is at least 1 and --feather at least 0')
    outputs = [args.output] + ([compare_path(args.output)] if args.compare else [])
    for path in outputs:
        if path.exists() and path.resolve() in (
            args.input.resolve(),
            args.mask and args.mask.resolve(),
        ):
            raise LadaError(f'the output would replace an input: {path}; choose another name')
        if path.is_dir():
            raise LadaError(f'a folder, not a file: {path}; name the file to write')
    refuse_to_replace(outputs, args.overwrite, other='choose another --output')
    if args.resume and (args.compare or args.synthesize_mosaic):
        raise LadaError('--resume goes neither with --compare nor with --synthesize-mosaic')
    if not args.resume:
        refuse_to_replace(
            [beside(args.output, '-partial')], args.overwrite, other='continue it with --resume'
        )


def compare_path(output: Path) -> Path:
    """Return the name of the file that shows input and output side by side."""
    return beside(output, '-compare')
