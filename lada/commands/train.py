"""Train a BasicVSR++ mosaic restoration network from a config file."""

import argparse
from pathlib import Path

from lada.cli import ConfigOption, add_launcher, make_parser
from lada.commands.next_step import say_next
from lada.errors import LadaError


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument('config', help='config file, for example one of configs/basicvsrpp/')
    parser.add_argument(
        '--work-dir', help='folder for logs and checkpoints (default: what the config says)'
    )
    start = parser.add_mutually_exclusive_group()
    start.add_argument(
        '--resume',
        action='store_true',
        default=True,
        help="continue from the work directory's newest sound checkpoint, if there is one",
    )
    start.add_argument(
        '--no-resume',
        dest='resume',
        action='store_false',
        default=True,
        help='start afresh; earlier checkpoints are moved into a dated folder',
    )
    start.add_argument('--resume-from', metavar='PATH', help='continue from this checkpoint')
    parser.add_argument(
        '--load-from',
        metavar='PATH',
        help=(
            'start from the weights of this checkpoint, or of the best one in this work directory,'
            ' when nothing is resumed'
        ),
    )
    parser.add_argument('--amp', action='store_true', help='mixed precision, on CPU and CUDA')
    parser.add_argument(
        '--amp-dtype',
        choices=['bfloat16', 'float16'],
        default='bfloat16',
        help='what --amp computes in; float16 scales the loss',
    )
    parser.add_argument(
        '--compile',
        action='store_true',
        help='pass the generator through torch.compile; where that fails, train without it',
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='multiply the learning rate by global batch size / auto_scale_lr.base_batch_size',
    )
    add_launcher(parser)
    parser.add_argument(
        '--dry-run',
        action='store_true',
        help='check config, data and checkpoint, say what would happen, and stop',
    )
    parser.add_argument(
        '--trial-step',
        action='store_true',
        help=(
            'with --dry-run: also try a step, and say what it takes in time and memory (on a GPU'
            ' --dry-run always does)'
        ),
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=ConfigOption,
        default={},
        metavar='KEY=VALUE',
        help='override config values, for example train_cfg.max_iters=1000',
    )
    return parser


def main(args: argparse.Namespace) -> None:
    from lada.engine.train import TrainOptions, describe_run, train
    from lada.engine.work_dir import checkpoint_folders

    options = TrainOptions(
        config=args.config,
        work_dir=args.work_dir,
        resume=args.resume,
        resume_from=args.resume_from,
        load_from=args.load_from,
        amp=args.amp_dtype if args.amp else None,
        compile=args.compile,
        auto_scale_lr=args.auto_scale_lr,
        launcher=args.launcher,
        cfg_options=args.cfg_options or {},
    )
    if args.trial_step and not args.dry_run:
        raise LadaError('--trial-step: only with --dry-run; add it')
    if args.dry_run:
        print('\n'.join(describe_run(options, args.trial_step or None)))
        return
    config = train(options)
    if config is not None and config.get('val_dataloader'):
        # What the run leaves of its config has the options in it.
        written = Path(config.work_dir, Path(args.config).name)
        say_next('eval', written, checkpoint_folders(config)[-1])
