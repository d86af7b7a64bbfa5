"""Weak and strong scaling of a training step on one and two CPU processes, and a calculated outlook
to many GPUs.

One thread each, each on a core of its own, all cases alternating in one run: where a case needs one
process, the other waits. Two cores that are threads of one, or share memory, are slower together
than one alone whatever is exchanged: the case without exchange says how much. The outlook is
arithmetic on assumed links and steps.
"""

import argparse
import json
import os
import socket
import tempfile
import time
from pathlib import Path
from statistics import median

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.optim import OptimWrapper
from mmengine.registry import DefaultScope

from lada.cli import make_parser, run_script
from lada.data.data_sample import DataSample
from lada.engine import MMDistributedDataParallel, RewrappingDistributedDataParallel
from lada.models import BasicVSRPlusPlusNet
from lada.registry import MODELS

FROZEN, TRAINED = 10**9, 0
LINKS = {  # the slowest link of the ring: bytes a second, seconds a message; assumed
    'NVLink 300 GB/s': (300e9, 5e-6),
    'InfiniBand 200 Gbit/s': (25e9, 1e-5),
    'Ethernet 10 Gbit/s': (1.25e9, 5e-5),
}
WORLDS = (8, 64)


class NoExchange:
    """A wrapper's training step without its exchange of gradients."""

    def __init__(self, wrapper: MMDistributedDataParallel):
        self.wrapper = wrapper

    def train_step(self, data: dict, optim_wrapper: OptimWrapper) -> dict:
        with self.wrapper.no_sync():
            return self.wrapper.train_step(data, optim_wrapper)


def build(args: argparse.Namespace, fix_iter: int):
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('lada'):
        return MODELS.build(
            dict(
                type='BasicVSR',
                pixel_loss=dict(type='CharbonnierLoss'),
                train_cfg=dict(fix_iter=fix_iter),
                generator=dict(
                    type='BasicVSRPlusPlusNet',
                    mid_channels=args.channels,
                    num_blocks=args.blocks,
                    is_low_res_input=False,
                ),
            )
        )


def batch(args: argparse.Namespace, count: int) -> dict:
    """Return random clips; what they show costs nothing here."""
    samples = []
    for _ in range(count):
        samples.append(DataSample())
        samples[-1].set_data(
            dict(
                gt_img=torch.randint(
                    0, 256, (args.frames, 3, args.size, args.size), dtype=torch.uint8
                )
            )
        )
    return dict(inputs=[sample.gt_img for sample in samples], data_samples=samples)


def cases(args: argparse.Namespace) -> dict:
    """Return by name: processes, clips each, model."""
    result = {}
    for phase, fix_iter in (('trained', TRAINED), ('frozen', FROZEN)):
        result |= {
            f'{phase}: 1 process, batch 1': (1, 1, build(args, fix_iter)),
            f'{phase}: 2 processes, batch 1, find_unused': (
                2,
                1,
                MMDistributedDataParallel(
                    module=build(args, fix_iter), find_unused_parameters=True
                ),
            ),
            f'{phase}: 2 processes, batch 1, re-wrapping': (
                2,
                1,
                RewrappingDistributedDataParallel(build(args, fix_iter)),
            ),
        }
    result['trained: 1 process, batch 2'] = (1, 2, build(args, TRAINED))
    result['trained: 2 processes, batch 1, no exchange'] = (
        2,
        1,
        NoExchange(
            MMDistributedDataParallel(module=build(args, TRAINED), find_unused_parameters=True)
        ),
    )
    return result


def work(rank: int, args: argparse.Namespace, port: int, output: str) -> None:
    os.environ.update(
        MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port), RANK=str(rank), WORLD_SIZE='2'
    )
    torch.set_num_threads(1)
    if hasattr(os, 'sched_setaffinity'):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[rank % len(cores)]})
    dist.init_process_group('gloo')
    prepared = {}
    for name, (processes, count, model) in cases(args).items():
        parameters = (model.wrapper if isinstance(model, NoExchange) else model).parameters()
        # MMEngine's: ours asks all ranks whether the gradients are finite, also where one of them
        # works alone.
        wrapper = OptimWrapper(torch.optim.Adam(parameters, lr=1e-5))
        prepared[name] = processes, count, model, wrapper
    times = {name: [] for name in prepared}
    for number in range(args.repeats + 1):
        for name, (processes, count, model, wrapper) in prepared.items():
            data = batch(args, count)
            dist.barrier()
            start = time.perf_counter()
            if rank < processes:
                model.train_step(data, wrapper)
            dist.barrier()
            if number:  # the first round warms up
                times[name].append(time.perf_counter() - start)
    if rank == 0:
        Path(output).write_text(json.dumps(times))
    dist.destroy_process_group()


def outlook(gradient_bytes: float, step_seconds: list[float]) -> list[dict]:
    """Calculate weak-scaling efficiency with a ring all-reduce, none and all of it hidden behind
    the backward pass.

    A ring moves 2 (W - 1) / W of the gradients through each link, in 2 (W - 1) messages. The
    backward pass is taken as two thirds of a step.
    """
    rows = []
    for link, (bandwidth, latency) in LINKS.items():
        for world in WORLDS:
            exchange = (
                2 * (world - 1) / world * gradient_bytes / bandwidth + 2 * (world - 1) * latency
            )
            for step in step_seconds:
                shown = max(0.0, exchange - step * 2 / 3)
                rows.append(
                    dict(
                        link=link,
                        gpus=world,
                        step_s=step,
                        exchange_s=exchange,
                        efficiency_not_hidden=step / (step + exchange),
                        efficiency_hidden=step / (step + shown),
                    )
                )
    return rows


def main(args: argparse.Namespace) -> None:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    with tempfile.NamedTemporaryFile() as output:
        mp.spawn(work, (args, port, output.name), nprocs=2)
        times = json.loads(Path(output.name).read_text())
    seconds = {name: median(values) for name, values in times.items()}
    print(
        f'{args.channels} channels, {args.blocks} blocks, {args.frames} frames of'
        f' {args.size}x{args.size}, 1 thread a process, median of {args.repeats} alternations'
    )
    for name, value in seconds.items():
        print(f'  {value * 1e3:9.1f} ms  {name}')
    two = 'trained: 2 processes, batch 1, find_unused'
    pairs = {
        'weak scaling efficiency: 1 process batch 1 / 2 processes batch 1': (
            'trained: 1 process, batch 1',
            two,
        ),
        'strong scaling speed-up: 1 process batch 2 / 2 processes batch 1': (
            'trained: 1 process, batch 2',
            two,
        ),
        'what the machine allows: 1 process / 2 processes without exchange': (
            'trained: 1 process, batch 1',
            'trained: 2 processes, batch 1, no exchange',
        ),
        'exchange: 2 processes with / without it': (
            two,
            'trained: 2 processes, batch 1, no exchange',
        ),
        **{
            f're-wrapping / find_unused_parameters, {phase}': (
                f'{phase}: 2 processes, batch 1, re-wrapping',
                f'{phase}: 2 processes, batch 1, find_unused',
            )
            for phase in ('trained', 'frozen')
        },
    }
    figures = {}
    for name, (above, below) in pairs.items():
        ratios = [a / b for a, b in zip(times[above], times[below], strict=True)]
        figures[name] = dict(median=median(ratios), least=min(ratios), most=max(ratios))
        print(f'  {median(ratios):6.3f} ({min(ratios):.3f} to {max(ratios):.3f})  {name}')
    recipe = BasicVSRPlusPlusNet(64, 15, is_low_res_input=False)
    gradient_bytes = 4 * sum(parameter.numel() for parameter in recipe.parameters())
    rows = outlook(gradient_bytes, args.step_seconds)
    print(
        f'CALCULATED, not measured: stage 1 network, {gradient_bytes / 1e6:.1f} MB of gradients,'
        ' ring all-reduce, assumed links and step times; efficiency with none / with all of the'
        ' exchange hidden'
    )
    for row in rows:
        efficiency = f'{row["efficiency_not_hidden"]:5.1%} / {row["efficiency_hidden"]:5.1%}'
        print(
            f'  {row["link"]:30s} {row["gpus"]:3d} GPUs, step {row["step_s"]:5.2f} s: exchange '
            f'{row["exchange_s"] * 1e3:8.1f} ms, {efficiency}'
        )
    if args.json:
        Path(args.json).write_text(
            json.dumps(
                dict(
                    torch=torch.__version__,
                    seconds=seconds,
                    times=times,
                    figures=figures,
                    calculated=rows,
                ),
                indent=1,
            )
            + '\n'
        )


def parser() -> argparse.ArgumentParser:
    result = make_parser(__doc__.splitlines()[0])
    result.add_argument('--channels', type=int, default=16, help='channels of the network')
    result.add_argument('--blocks', type=int, default=2, help='residual blocks of each branch')
    result.add_argument('--frames', type=int, default=2, help='frames of a clip')
    result.add_argument('--size', type=int, default=256, help='height and width of the frames')
    result.add_argument('--repeats', type=int, default=5, help='alternations')
    result.add_argument(
        '--step-seconds',
        type=float,
        nargs='+',
        default=[0.3, 1.0],
        help='assumed seconds of a training step on one GPU, for the calculated outlook',
    )
    result.add_argument('--json', help='write the results to this file')
    return result


if __name__ == '__main__':
    run_script(main, parser())
