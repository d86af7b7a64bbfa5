"""Plot the loss, learning rate and validation scores of training runs, and say how each goes."""

import argparse
from pathlib import Path

from lada.cli import make_parser
from lada.files import refuse_to_replace, write_atomically

PICTURE, PAGE = 'training.png', 'training.html'


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument(
        'work_dirs', nargs='+', type=Path, metavar='WORK_DIR', help='work directory of a run'
    )
    parser.add_argument(
        '--output',
        '--out',
        dest='output',
        type=Path,
        metavar='DIR',
        help=f'folder for {PICTURE} and {PAGE} (none: the first work directory)',
    )
    parser.add_argument('--overwrite', action='store_true', help='replace earlier plots')
    return parser


def main(args: argparse.Namespace) -> None:
    from lada.evaluation.training_log import advise, read_log
    from lada.evaluation.training_report import to_html, to_png

    out = args.output or args.work_dirs[0]
    logs = [read_log(work_dir) for work_dir in args.work_dirs]
    names = [log.name for log in logs]
    for log, work_dir in zip(logs, args.work_dirs, strict=True):
        if names.count(log.name) > 1:
            log.name = str(work_dir)
    refuse_to_replace(
        [out / PICTURE, out / PAGE], args.overwrite, other='choose another folder with --output'
    )
    write_atomically(out / PICTURE, to_png(logs))
    write_atomically(out / PAGE, to_html(logs).encode())
    for log in logs:
        print(f'{log.name}: {advise(log).text}')
        if log.best:
            print(f'{log.name}: {log.best}')
    print(f'Plots: {out / PICTURE} and {out / PAGE}')
