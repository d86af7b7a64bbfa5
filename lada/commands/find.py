"""Find the mosaics of a video: mask, block size and grid.

It finds block patterns; it does not know what they cover.
"""

import argparse
from pathlib import Path

from lada.cli import make_parser
from lada.errors import LadaError
from lada.files import refuse_to_replace


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument('--input', required=True, type=Path, metavar='VIDEO', help='the video')
    parser.add_argument(
        '--output',
        required=True,
        type=Path,
        metavar='MASK',
        help='mask video to write (mkv): one frame for each, white where the mosaic is',
    )
    parser.add_argument(
        '--json',
        type=Path,
        metavar='FILE',
        help='also write boxes, block sizes, grids and confidences of every frame',
    )
    parser.add_argument('--overwrite', action='store_true', help='replace the output files')
    return parser


def main(args: argparse.Namespace) -> None:
    check(args)
    import numpy as np

    from lada.files import write_atomically
    from lada.inference.find_video import FoundMosaics, find_in_video
    from lada.progress import Progress
    from lada.video import VideoWriter, count_frames, mask_encoding, probe

    video = probe(args.input)
    found = FoundMosaics(video)
    with (
        VideoWriter(args.output, video.fps, **mask_encoding()) as writer,
        Progress('finding', 'frame', count_frames(args.input)) as progress,
    ):
        for mask in found.collect(find_in_video(video)):
            writer.write(mask.astype(np.uint8) * 255)
            progress.update()
    if args.json:
        write_atomically(args.json, found.to_json())
    for line in found.lines():
        print(line)
    print(f'written: {args.output}' + (f' and {args.json}' if args.json else ''))


def check(args: argparse.Namespace) -> None:
    if args.output.suffix.lower() != '.mkv':
        raise LadaError(f'a mask is written as .mkv: {args.output}; choose another --output')
    outputs = [args.output] + ([args.json] if args.json else [])
    if len({path.resolve() for path in (args.input, *outputs)}) <= len(outputs):
        raise LadaError('--input, --output and --json are different files; choose other names')
    for path in outputs:
        if path.is_dir():
            raise LadaError(f'a folder, not a file: {path}; name the file to write')
        if not path.absolute().parent.is_dir():
            raise LadaError(f'no such folder: {path.absolute().parent}; make it first')
    refuse_to_replace(outputs, args.overwrite)
