"""Cut videos into the clips of a mosaic restoration dataset."""

import argparse
from pathlib import Path

from lada.cli import make_parser, usable_cores
from lada.commands.next_step import say_next


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this command's options."""
    parser = make_parser(
        'Cut videos into the clips of a mosaic restoration dataset: find the shots, choose moving'
        ' regions, crop them with context, and write video, mask and metadata of every clip. Stop'
        ' it whenever you like; the same command continues.'
    )
    parser.add_argument(
        '--input',
        type=Path,
        nargs='+',
        default=[],
        metavar='PATH',
        help='video files, or folders that are searched for video files',
    )
    parser.add_argument(
        '--from-images',
        type=Path,
        nargs='+',
        default=[],
        metavar='PATH',
        help=(
            'photographs, or folders that are searched for some: a video of each is made first, in'
            ' which a camera glides over it while pieces of others pass by'
        ),
    )
    parser.add_argument(
        '--frames-per-image',
        type=int,
        default=120,
        metavar='N',
        help='length of a video that is made of a photograph',
    )
    parser.add_argument(
        '--output',
        '--output-root',
        dest='output',
        type=Path,
        required=True,
        metavar='ROOT',
        help='folder of the dataset',
    )
    parser.add_argument(
        '--mask-dir',
        type=Path,
        metavar='DIR',
        help=(
            'folder with a mask video of the same stem and size for every input (white: the'
            ' region); frames without a mask are left out. Without it regions move at random'
        ),
    )
    parser.add_argument(
        '--boxes',
        '--boxes-file',
        dest='boxes',
        type=Path,
        metavar='FILE',
        help=(
            'regions as boxes instead, lines of JSON {"video": "a.mp4", "frame": 12, "box": [left,'
            ' top, right, bottom], "track": 3}, or CSV with the columns first, last, x, y, width,'
            ' height, video; a clip for every track'
        ),
    )
    parser.add_argument(
        '--seed', type=int, default=42, help='regions are a function of this and of the file name'
    )
    parser.add_argument(
        '--min-frames', type=int, default=30, metavar='N', help='drop shots that are shorter'
    )
    parser.add_argument(
        '--max-frames', type=int, default=60, metavar='N', help='divide shots that are longer'
    )
    parser.add_argument(
        '--clips-per-shot',
        type=int,
        default=1,
        metavar='N',
        help='random regions cut from every shot, or part of a divided shot',
    )
    parser.add_argument(
        '--size-range',
        type=float,
        nargs=2,
        default=(0.2, 0.45),
        metavar=('LOW', 'HIGH'),
        help="diameter of random regions, as a fraction of the frame's short side",
    )
    parser.add_argument(
        '--min-resolution',
        type=int,
        default=128,
        metavar='PIXELS',
        help='leave sources out whose short side is smaller',
    )
    parser.add_argument(
        '--min-light',
        type=float,
        default=16,
        metavar='LUMA',
        help='drop clips whose mean luma, 0 to 255, is lower',
    )
    parser.add_argument(
        '--min-change',
        type=float,
        default=0.1,
        metavar='LEVELS',
        help=(
            'drop frozen clips: most frames differ from the one before by less, in mean grey levels'
        ),
    )
    parser.add_argument(
        '--max-blur',
        type=float,
        default=0.7,
        metavar='BLUR',
        help='drop clips whose blur is higher: 0 is sharp, 1 flat; 0 keeps all',
    )
    parser.add_argument(
        '--keep-duplicates',
        action='store_true',
        help='keep clips that show what a clip of another shot or source shows already',
    )
    parser.add_argument(
        '--keep-mosaicked',
        action='store_true',
        help='keep shots in which a mosaic is found: there is nothing under it to learn from',
    )
    parser.add_argument(
        '--metadata-version',
        type=int,
        choices=[2, 3],
        default=3,
        help='of the JSON files: 3 names the source exactly, 2 is what public Lada reads',
    )
    parser.add_argument(
        '--num-shards',
        type=int,
        default=1,
        metavar='N',
        help='divide the files between N runs, on any machines, that fill the same root',
    )
    parser.add_argument(
        '--shard-index', type=int, default=0, metavar='I', help='which of them this run is, from 0'
    )
    parser.add_argument(
        '--workers',
        type=int,
        default=usable_cores(),
        metavar='N',
        help='files worked on at the same time; 1 uses no further process',
    )
    parser.add_argument(
        '--dry-run', action='store_true', help='say what would be cut, write nothing'
    )
    return parser


def main(args: argparse.Namespace) -> None:
    """Cut the clips."""
    from tqdm import tqdm

    from lada.dataset_tools.create.creation import create_dataset
    from lada.dataset_tools.create.planning import CreationSettings
    from lada.dataset_tools.create.sources import Shard
    from lada.errors import LadaError

    settings = CreationSettings(
        args.seed,
        args.min_frames,
        args.max_frames,
        args.clips_per_shot,
        (args.size_range[0], args.size_range[1]),
        args.mask_dir,
        args.boxes,
        args.min_resolution,
        args.min_light,
        args.min_change,
        args.max_blur,
        not args.keep_duplicates,
        not args.keep_mosaicked,
        args.metadata_version,
    )
    if not args.input and not args.from_images:
        raise LadaError('nothing to cut; name videos with --input or pictures with --from-images')
    create_dataset(
        args.input,
        args.output,
        settings,
        args.workers,
        args.dry_run,
        say=tqdm.write,
        shard=Shard(args.shard_index, args.num_shards),
        images=args.from_images,
        frames_per_image=args.frames_per_image,
    )
    if not args.dry_run:
        say_next('check', args.output)
