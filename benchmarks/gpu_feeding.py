"""How many loader workers keep a GPU busy: the operations of a training step, counted, against the
samples that one core makes, measured.

Counted are the convolutions of a step of two short clips, forward and backward; a longer clip is
taken to cost as much more a frame. How fast a GPU works on them is for you to say: `--tflops` are
operations that it gets done, a part of what its data sheet promises.
"""

import argparse
import math
import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))

from conv_floor import ConvRecorder, total_flops
from data_pipeline import clips_folder, options_of
from train_step import make_network

from lada.cli import make_parser, run_script
from lada.data import InfiniteSampler, MosaicVideoDataset, init_worker


def main(args: argparse.Namespace) -> None:
    short, longer = (step_tflop(args, frames) for frames in (3, 5))
    a_frame = (longer - short) / 2
    step = short + (args.frames - 3) * a_frame
    print(
        f'{args.channels} channels, {args.blocks} blocks: {step:.2f} TFLOP a clip of {args.frames}'
        f' frames of {args.size}x{args.size}, {a_frame:.3f} a frame; with activations computed'
        f' again {step * 4 / 3:.2f}'
    )
    init_worker(0)
    with clips_folder(args.data) as folder:
        speed = samples_a_second(folder, args)
    instructions = torch.backends.cpu.get_cpu_capability()
    print(f'{speed:.1f} samples/s by one core ({instructions}), fully degraded\n')
    print('| TFLOP/s that the GPU reaches | clips/s | workers |\n|---|---|---|')
    for reached in args.tflops:
        clips = reached / step
        print(f'| {reached:g} | {clips:.1f} | {math.ceil(clips / speed)} |')


def step_tflop(args: argparse.Namespace, frames: int) -> float:
    """Return the operations of a step's convolutions, a multiply and an add counting as two."""
    net = make_network(args)
    with ConvRecorder() as recorder:
        net(torch.rand(1, frames, 3, args.size, args.size)).sum().backward()
    return total_flops(recorder.convs) / 1e12


def samples_a_second(folder: Path, args: argparse.Namespace) -> float:
    """Measure one process over the processor time that it takes."""
    dataset = MosaicVideoDataset(folder, **options_of(args))
    draws = iter(InfiniteSampler(dataset, seed=1))
    dataset[next(draws)]
    begin = time.process_time()
    for _ in range(args.samples):
        dataset[next(draws)]
    return args.samples / (time.process_time() - begin)


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument('--channels', type=int, default=64)
    parser.add_argument('--blocks', type=int, default=15)
    parser.add_argument('--frames', type=int, default=30)
    parser.add_argument('--size', type=int, default=256)
    parser.add_argument('--data', type=Path, help='root of a dataset; the sample videos without it')
    parser.add_argument('--samples', type=int, default=60, help='made to measure the speed')
    parser.add_argument(
        '--tflops', type=float, nargs='+', default=[5, 10, 20, 40, 80, 160], help='a second'
    )
    return parser


if __name__ == '__main__':
    run_script(main, build_parser())
