"""Time and memory of a training step on a GPU: the network as it is shipped against the same in
other layouts, compiled, and with MMCV's operator, for each precision; and the recipe's clips.

All variants are measured in one process, alternating; read the ratios. Losses, optimizer and data
are left out.
"""

import argparse
import copy
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parent))

from conv_floor import clock_for
from train_step import DTYPES, make_network

from lada.cli import make_parser, run_script
from lada.errors import LadaError
from lada.models import CharbonnierLoss
from lada.models.placement import place


def main(args: argparse.Namespace) -> None:
    device = torch.device(args.device)
    if device.type == 'cuda' and not torch.cuda.is_available():
        raise LadaError('no GPU that PyTorch sees here; --device cpu tries the benchmark itself')
    name = torch.cuda.get_device_name(device) if device.type == 'cuda' else 'cpu'
    rows: list[dict] = []
    print(f'{name}, PyTorch {torch.__version__}\n')
    print('| what | clips x frames x size | precision | ms a step | of the first | frames/s | GB |')
    print('|---|---|---|---|---|---|---|')
    for precision in args.precision:
        rows += _case(args, device, precision, 1, 3, args.size, _variants(args, device))
    # The recipe's clips, as the configs train them.
    recipe = {'shipped, checkpoint_segment=auto': _shipped(args, device, segment='auto')}
    for precision in args.precision:
        rows += _case(args, device, precision, 2, args.frames, args.size, recipe)
    if args.json:
        report = dict(device=name, torch=torch.__version__, rows=rows)
        Path(args.json).write_text(json.dumps(report, indent=1) + '\n')


def _shipped(args: argparse.Namespace, device: torch.device, segment=None, **options) -> nn.Module:
    return place(make_network(args, checkpoint_segment=segment, backend='plain', **options), device)


def _variants(args: argparse.Namespace, device: torch.device) -> dict[str, nn.Module]:
    variants = {
        'shipped (channels last)': _shipped(args, device),
        'planes': make_network(args, backend='plain').to(device),
    }
    for name in list(variants):
        compiled = copy.deepcopy(variants[name])
        compiled.forward = torch.compile(compiled.forward)
        variants[f'{name}, compiled'] = compiled
    try:
        variants["shipped, MMCV's operator"] = _shipped(args, device, deform_conv='mmcv')
    except LadaError as error:
        print(f'<!-- no MMCV operator here: {error} -->')
    return variants


def _case(
    args: argparse.Namespace,
    device: torch.device,
    precision: str,
    batch: int,
    frames: int,
    size: int,
    variants: dict[str, nn.Module],
) -> Iterator[dict]:
    clip = torch.rand(batch, frames, 3, size, size, device=device)
    target = torch.rand_like(clip)
    clock = clock_for(device)
    rows: dict[str, dict] = {}
    for name, net in variants.items():
        with _told(name):
            _step(net, clip, target, precision)  # compiles, chooses algorithms
            _step(net, clip, target, precision)
            if device.type == 'cuda':
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats(device)
            _step(net, clip, target, precision)
            peak = torch.cuda.max_memory_reserved(device) / 2**30 if device.type == 'cuda' else 0.0
            rows[name] = dict(name=name, precision=precision, batch=batch, frames=frames, gb=peak)
    times: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(args.repeats):
        for name in rows:
            start = clock()
            _step(variants[name], clip, target, precision)
            times[name].append(clock() - start)
    first = None
    for name, row in rows.items():
        row['ms'] = median(times[name]) * 1e3
        first = first or row['ms']
        print(
            f'| {name} | {batch} x {frames} x {size} | {precision} | {row["ms"]:.1f}'
            f' | {row["ms"] / first:.2f} | {batch * frames / row["ms"] * 1e3:.1f}'
            f' | {row["gb"]:.2f} |',
            flush=True,
        )
        yield row


def _step(net: nn.Module, clip: Tensor, target: Tensor, precision: str) -> None:
    net.zero_grad(set_to_none=True)
    with torch.autocast(clip.device.type, DTYPES[precision], enabled=precision != 'fp32'):
        loss = CharbonnierLoss()(net(clip), target)
    loss.backward()


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Leave a variant out that does not run here, and say so."""
    try:
        yield
    except RuntimeError as error:
        print(f'<!-- {name}: {str(error).strip().splitlines()[0]} -->', flush=True)
        torch.cuda.empty_cache()


def parser() -> argparse.ArgumentParser:
    result = make_parser((__doc__ or '').partition('\n')[0])
    result.add_argument('--channels', type=int, default=64, help='channels of the network')
    result.add_argument('--blocks', type=int, default=15, help='residual blocks of each branch')
    result.add_argument('--size', type=int, default=256, help='height and width of the frames')
    result.add_argument('--frames', type=int, default=30, help="frames of the recipe's clips")
    result.add_argument('--precision', nargs='+', default=list(DTYPES), choices=list(DTYPES))
    result.add_argument('--repeats', type=int, default=10, help='alternations')
    result.add_argument('--device', default='cuda', help='cuda, cuda:N, or cpu')
    result.add_argument('--json', help='write the results to this file')
    return result


if __name__ == '__main__':
    run_script(main, parser())
