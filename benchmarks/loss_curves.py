"""Compare the loss curve of mixed precision with float32's: the same training twice, on the same
samples.

Wants a dataset: LADA_DATA_ROOT, or what the first two steps of run_demo.sh make.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import fmean

from lada.cli import make_parser, run_script
from lada.errors import LadaError

SCRIPT = (
    Path(__file__).resolve().parents[1] / 'scripts/training/train-mosaic-restoration-basicvsrpp.py'
)


def main(args: argparse.Namespace) -> None:
    out = Path(args.out)
    if out.exists() and any(out.iterdir()):
        raise LadaError(f'{out} is not empty; name another folder with --out')
    exact = losses(args, out / 'float32', [])
    mixed = losses(args, out / args.amp_dtype, ['--amp', '--amp-dtype', args.amp_dtype])
    differences = []
    print(f'iterations    float32    {args.amp_dtype}   difference')
    for start in range(0, args.iterations, args.window):
        a, b = fmean(exact[start : start + args.window]), fmean(mixed[start : start + args.window])
        differences.append(100 * (b / a - 1))
        print(
            f'{start + 1:4d} to {start + args.window:4d}  {a:.6f}   {b:.6f}  '
            f' {differences[-1]:+.2f} %'
        )
    whole = 100 * (fmean(mixed) / fmean(exact) - 1)
    print(
        f'largest difference of a window {max(differences, key=abs):+.2f} %, of the mean of all'
        f' {whole:+.2f} %'
    )
    if args.json:
        Path(args.json).write_text(
            json.dumps(dict(float32=exact, mixed=mixed, differences_percent=differences)) + '\n'
        )


def losses(args: argparse.Namespace, work_dir: Path, options: list[str]) -> list[float]:
    """Train and return the loss of each iteration."""
    settings = [
        f'train_cfg.max_iters={args.iterations}',
        'val_dataloader=None',
        'val_cfg=None',
        'val_evaluator=None',
        'default_hooks.logger.interval=1',
        'default_hooks.checkpoint.out_dir=None',
        # One value, not a mean over the last ones.
        'log_processor.window_size=1',
    ]
    subprocess.run(
        [
            sys.executable,
            SCRIPT,
            args.config,
            '--work-dir',
            work_dir,
            *options,
            '--cfg-options',
            *settings,
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    log = next(work_dir.glob('*/vis_data/scalars.json'))
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    return [row['loss'] for row in rows if 'loss' in row]


def parser() -> argparse.ArgumentParser:
    result = make_parser(__doc__.splitlines()[0])
    result.add_argument(
        '--config',
        default='configs/basicvsrpp/mosaic_restoration_demo_cpu.py',
        help='what is trained',
    )
    result.add_argument('--iterations', type=int, default=200, help='length of both trainings')
    result.add_argument(
        '--window', type=int, default=20, help='iterations whose mean losses are compared'
    )
    result.add_argument(
        '--amp-dtype',
        choices=['bfloat16', 'float16'],
        default='bfloat16',
        help='the mixed precision',
    )
    result.add_argument(
        '--out', default='experiments/loss_curves', help='folder for both trainings'
    )
    result.add_argument('--json', help='write the curves to this file')
    return result


if __name__ == '__main__':
    run_script(main, parser())
