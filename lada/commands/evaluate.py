"""Measure checkpoints on a validation set, against the mosaic input and an interpolation of its
blocks.
"""

import argparse
from pathlib import Path

from lada.cli import ConfigOption, add_launcher, make_parser
from lada.commands.next_step import near, say_next
from lada.files import refuse_to_replace
from lada.folders import mask_path, video_path

PERCEPTUAL = (('LPIPS', '--lpips-weights'), ('DISTS', '--dists-weights'), ('VMAF', '--vmaf'))
"""Scores that need more than the data, and what asks for them."""


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument('config', help='the config that the checkpoints were trained with')
    parser.add_argument(
        'checkpoints',
        nargs='+',
        metavar='checkpoint',
        help=(
            'checkpoints, exported weights, or work directories of runs: of these the best'
            ' checkpoint counts, or the newest where none was kept as the best'
        ),
    )
    parser.add_argument(
        '--data', metavar='ROOT', help="another dataset than the config's validation set"
    )
    parser.add_argument(
        '--output',
        '--out',
        dest='output',
        metavar='DIR',
        type=Path,
        help=(
            'folder for tables, pictures and report (none: "evaluation" beside the last checkpoint)'
        ),
    )
    parser.add_argument(
        '--overwrite', action='store_true', help='replace an earlier evaluation in the folder'
    )
    parser.add_argument('--device', help='cpu, cuda or cuda:N (none: cuda where there is one)')
    parser.add_argument(
        '--num-clips',
        type=positive,
        metavar='N',
        help='measure only N clips, evenly spaced over the set (none: all)',
    )
    parser.add_argument(
        '--pictures',
        type=int,
        default=12,
        metavar='N',
        help='show at most N clips, half of them the worst, half the best',
    )
    parser.add_argument(
        '--lpips-weights',
        metavar='PATH',
        help=(
            "torchvision's AlexNet weights, to measure LPIPS too with torchmetrics (none: skipped)"
        ),
    )
    parser.add_argument(
        '--dists-weights',
        metavar='PATH',
        help="torchvision's VGG16 weights, to measure DISTS too with torchmetrics (none: skipped)",
    )
    parser.add_argument(
        '--vmaf', action='store_true', help='measure VMAF too, with torchmetrics and vmaf-torch'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=ConfigOption,
        metavar='KEY=VALUE',
        help='override the config',
    )
    add_launcher(parser)
    return parser


def asked_for(args: argparse.Namespace, device: object) -> list[dict]:
    """Return the configs of the scores that the command line adds to those of the config."""
    scores: list[dict] = [
        dict(type=name, weights=weights)
        for name, weights in (('LPIPS', args.lpips_weights), ('DISTS', args.dists_weights))
        if weights
    ]
    if args.vmaf:
        scores.append(dict(type='VMAF'))
    return [dict(score, device=device) for score in scores]


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError('must be at least 1')
    return value


def main(args: argparse.Namespace) -> None:
    from lada.checkpoints.finding import checkpoint_at
    from lada.engine.config import load_config
    from lada.engine.distributed.team import team
    from lada.evaluation.files import EvaluationFiles, written_files
    from lada.inference.evaluate import evaluate, scores_of
    from lada.inference.loading import choose_device
    from lada.models.out_of_memory import EVALUATING, out_of_memory

    with team(args.launcher) as processes:
        for number, name in enumerate(args.checkpoints):
            args.checkpoints[number] = checkpoint_at(name)
            if processes.leads and Path(name).is_dir():
                print(f'{name}: {args.checkpoints[number]}')
        out = args.output or Path(args.checkpoints[-1]).absolute().parent / 'evaluation'
        if processes.leads:
            refuse_to_replace(
                written_files(out), args.overwrite, other='choose another folder with --output'
            )
        config = load_config(args.config, args.cfg_options)
        files = EvaluationFiles(out, args.pictures)
        device = choose_device(args.device)
        scores = scores_of(config, asked_for(args, device))
        with out_of_memory(EVALUATING):
            evaluation = evaluate(
                config,
                args.checkpoints,
                device,
                data=args.data,
                num_clips=args.num_clips,
                scores=scores,
                files=files,
                processes=processes,
            )
        measured = {score.name for score in scores}
        absent = [f'{name} ({how})' for name, how in PERCEPTUAL if name.lower() not in measured]
        if absent:
            evaluation.notes.append(f'Perceptual scores not asked for: {", ".join(absent)}.')
        print(files.write(evaluation))
        root, stem = Path(evaluation.data).parent, evaluation.clips[-1].key
        video, mask = video_path(root, stem), mask_path(root, stem)
        if video.is_file() and mask.is_file():
            say_next(
                'restore',
                *('--input', near(video), '--mask', near(mask), '--synthesize-mosaic'),
                *('--compare', '--checkpoint', near(args.checkpoints[-1])),
                *('--output', near(out) / video.name),
            )
