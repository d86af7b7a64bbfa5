"""Time a step of two threads alone and beside a process that never sleeps, for several lengths of
time that the threads look for each other before they sleep (``GOMP_SPINCOUNT``).

Read the ratios, and repeat: how a busy core is shared is chance.
"""

import argparse
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from lada.cli import make_parser, run_script

STEP = Path(__file__).resolve().parent / 'train_step.py'
NETWORK = ['--channels', '24', '--blocks', '2', '--frames', '4', '--no-reference']


def main(args: argparse.Namespace) -> None:
    first = None
    for spins in args.spins:
        alone, machine = measure(spins, args.repeats)
        with busy_neighbour():
            beside, _ = measure(spins, args.repeats)
        first = first or alone
        if first is alone:
            print(machine)
        print(
            f'{spins:>8s}: alone {alone:5.0f} ms ({alone / first:.2f} of the first), beside'
            f' {beside:5.0f} ms ({beside / alone:.2f} of alone)',
            flush=True,
        )


def measure(spins: str, repeats: int) -> tuple[float, str]:
    """Return the milliseconds of a step, and what computed it."""
    environment = {
        key: value
        for key, value in os.environ.items()
        if key not in ('GOMP_SPINCOUNT', 'OMP_WAIT_POLICY', 'OMP_NUM_THREADS')
    }
    if spins == 'passive':
        environment['OMP_WAIT_POLICY'] = 'PASSIVE'
    elif spins != 'default':
        environment['GOMP_SPINCOUNT'] = spins
    with TemporaryDirectory() as folder:
        report = Path(folder) / 'report.json'
        command = [sys.executable, STEP, *NETWORK, '--threads', '2', '--repeats', str(repeats)]
        subprocess.run(
            [*command, '--json', report], env=environment, check=True, stdout=subprocess.DEVNULL
        )
        found = json.loads(report.read_text())
    [result] = found['results']
    machine = f'{found["machine"]}, {found["instructions"]}, PyTorch {found["torch"]}, two threads'
    return result['paths']['ours']['total_ms'], machine


@contextmanager
def busy_neighbour():
    """Have another process want a core all the time."""
    process = subprocess.Popen([sys.executable, '-c', 'while True: pass'])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def parser() -> argparse.ArgumentParser:
    result = make_parser((__doc__ or '').partition('\n')[0])
    result.add_argument(
        '--spins',
        nargs='+',
        default=['default', '4000', '1000', 'passive'],
        help="numbers, default (GNU's), passive (none)",
    )
    result.add_argument('--repeats', type=int, default=5, help='steps of each')
    return result


if __name__ == '__main__':
    run_script(main, parser())
