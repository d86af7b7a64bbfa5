"""Cut videos into the clips of a mosaic restoration dataset."""

import os
from pathlib import Path

from tqdm import tqdm

from lada.cli import make_parser, run_script
from lada.dataset_tools.clip_planning import CreationSettings
from lada.dataset_tools.creation import create_dataset


def build_parser():
    parser = make_parser(
        'Cut videos into the clips of a mosaic restoration dataset: find the shots, choose moving regions, crop them '
        'with context, and write video, mask and metadata of every clip. Stop it whenever you like; the same command '
        'continues.')
    parser.add_argument('--input', type=Path, nargs='+', required=True, metavar='PATH',
                        help='video files, or folders that are searched for video files')
    parser.add_argument('--output-root', type=Path, required=True, metavar='ROOT', help='folder of the dataset')
    parser.add_argument('--mask-dir', type=Path, metavar='DIR',
                        help='folder with a mask video of the same stem and size for every input (white: the region); '
                             'frames without a mask are left out. Without it regions move at random')
    parser.add_argument('--seed', type=int, default=42, help='regions are a function of this and of the file name')
    parser.add_argument('--min-frames', type=int, default=30, metavar='N', help='drop shots that are shorter')
    parser.add_argument('--max-frames', type=int, default=60, metavar='N', help='divide shots that are longer')
    parser.add_argument('--clips-per-shot', type=int, default=1, metavar='N',
                        help='random regions cut from every shot, or part of a divided shot')
    parser.add_argument('--size-range', type=float, nargs=2, default=(0.2, 0.45), metavar=('LOW', 'HIGH'),
                        help="diameter of random regions, as a fraction of the frame's short side")
    parser.add_argument('--workers', type=int, default=os.cpu_count() or 1, metavar='N',
                        help='files worked on at the same time; 1 uses no further process')
    parser.add_argument('--dry-run', action='store_true', help='say what would be cut, write nothing')
    return parser


def main(args):
    settings = CreationSettings(
        args.seed, args.min_frames, args.max_frames, args.clips_per_shot, tuple(args.size_range), args.mask_dir)
    create_dataset(args.input, args.output_root, settings, args.workers, args.dry_run, say=tqdm.write)


if __name__ == '__main__':
    run_script(main, build_parser())
