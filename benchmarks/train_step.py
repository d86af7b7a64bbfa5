"""Time one step of BasicVSR++: the backend that the device chooses against the reference, which is
the plain network (planes, default options), and against the step's convolutions alone.

All of them are measured in one process, alternating, because machines and their load differ; read
the ratios. Memory is measured in steps of its own, which give freed memory back first.
"""

import argparse
import ctypes
import json
import platform
import resource
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent))

from conv_floor import ConvRecorder, clock_for, measure, total_flops

from lada.cli import make_parser, run_script
from lada.errors import LadaError
from lada.memory import keep_freed_memory
from lada.models import BasicVSRPlusPlusNet, CharbonnierLoss
from lada.models.basicvsrpp.backend import choose_backend

DTYPES = {'fp32': torch.float32, 'bf16': torch.bfloat16, 'fp16': torch.float16}


def main(args: argparse.Namespace) -> None:
    keep_freed_memory()  # as training does, for all paths alike
    device = torch.device(args.device)
    if args.threads:
        torch.set_num_threads(args.threads)
    unknown = set(args.precision) - set(DTYPES)
    if unknown:
        raise LadaError(f'unknown precision: {", ".join(unknown)}; choose from {", ".join(DTYPES)}')
    report = dict(
        torch=torch.__version__,
        threads=torch.get_num_threads(),
        machine=platform.machine(),
        device=torch.cuda.get_device_name(device) if device.type == 'cuda' else 'cpu',
        instructions=torch.backends.cpu.get_cpu_capability(),
        backend=choose_backend(None, device, None),
        mode='inference' if args.inference else 'training',
        clock='processor' if args.cpu_time else 'wall',
        results=[],
    )
    for size in args.size:
        for frames in args.frames:
            report['results'] += case(args, device, size, frames)
    for line in memory_lines(report['results']):
        print(line)
    print(json.dumps(report))
    if args.json:
        Path(args.json).write_text(json.dumps(report, indent=1) + '\n')
    if args.plot:
        plot(report, args.plot)


def case(args: argparse.Namespace, device: torch.device, size: int, frames: int) -> list[dict]:
    """Measure one clip size and length in all precisions and print a table."""
    net = make_network(args).to(device)
    net.spynet.requires_grad_(not args.frozen)
    clip = torch.rand(args.batch, frames, 3, size, size, device=device)
    target = torch.rand_like(clip)
    paths = {'ours': lambda: _with(net, None, None, clip)}
    if not args.no_reference:
        paths = {'reference': lambda: _with(net, 'plain', None, clip), **paths}
    if args.segment and not args.inference:
        paths[f'ours, segments of {args.segment}'] = lambda: _with(net, None, args.segment, clip)
    clock = clock_for(device, args.cpu_time)
    steps = {
        (name, precision): _step(args, net, path, target, precision, clock)
        for precision in args.precision
        for name, path in paths.items()
    }
    peaks, convs = {}, {}
    for (name, precision), step in steps.items():
        peaks[name, precision] = _peak_of(step, device)
        with ConvRecorder() as recorder:
            step()
        convs.setdefault(precision, recorder.convs)
    for step in steps.values():  # takes back from the system what measuring the peaks gave away
        step()
    times: dict[tuple[str, str], list[tuple[float, float]]] = {key: [] for key in steps}
    floors: dict[str, list[float]] = {precision: [] for precision in args.precision}
    for _ in range(args.repeats):
        for key, step in steps.items():
            times[key].append(step())
        for precision in args.precision:
            floors[precision].append(measure(convs[precision], device, clock, repeats=2))
    results = []
    for precision in args.precision:
        floor, flops = median(floors[precision]), total_flops(convs[precision])
        result = dict(
            channels=args.channels,
            blocks=args.blocks,
            frames=frames,
            size=size,
            batch=args.batch,
            precision=precision,
            flow_frozen=args.frozen,
            conv_gflop=flops / 1e9,
            floor_ms=floor * 1e3,
            conv_gflop_per_s=flops / floor / 1e9,
            paths={},
        )
        for name in paths:
            rows = times[name, precision]
            total = median(sum(row) for row in rows)
            result['paths'][name] = dict(
                forward_ms=median(row[0] for row in rows) * 1e3,
                backward_ms=median(row[1] for row in rows) * 1e3,
                total_ms=total * 1e3,
                peak_mb=peaks[name, precision],
                times_floor=total / floor,
                gflop_per_s=flops / total / 1e9,
                steps_ms=[round(sum(row) * 1e3, 1) for row in rows],
            )
        if 'reference' in paths:
            result['speedup'] = (
                result['paths']['reference']['total_ms'] / result['paths']['ours']['total_ms']
            )
        if results and results[0]['precision'] == 'fp32':
            result['gain_over_fp32'] = (
                results[0]['paths']['ours']['total_ms'] / result['paths']['ours']['total_ms']
            )
        results.append(result)
        _print(result)
    return results


def make_network(args: argparse.Namespace, **options) -> BasicVSRPlusPlusNet:
    """Return the network of ``--channels`` and ``--blocks``, the same at every call."""
    torch.manual_seed(0)
    net = BasicVSRPlusPlusNet(args.channels, args.blocks, is_low_res_input=False, **options)
    for parameter in net.parameters():
        if not parameter.any():  # layers that start at zero would make parts of the work trivial
            torch.nn.init.normal_(parameter, std=0.01)
    return net


def _with(
    net: BasicVSRPlusPlusNet, backend: str | None, segment: int | None, clip: Tensor
) -> Tensor:
    net.backend, net.checkpoint_segment = backend, segment
    return net(clip)


def _step(
    args: argparse.Namespace,
    net: torch.nn.Module,
    path: Callable[[], Tensor],
    target: Tensor,
    precision: str,
    clock: Callable[[], float],
) -> Callable[[], tuple[float, float]]:
    loss = CharbonnierLoss()

    def step() -> tuple[float, float]:
        net.zero_grad(set_to_none=True)
        start = clock()
        with (
            (
                torch.autocast(target.device.type, DTYPES[precision])
                if precision != 'fp32'
                else nullcontext()
            ),
            torch.no_grad() if args.inference else nullcontext(),
        ):
            output = path()
            value = None if args.inference else loss(output, target)
        middle = clock()
        if value is not None:
            value.backward()
        return middle - start, clock() - middle

    return step


def _print(result: dict) -> None:
    print(
        f'{result["channels"]} channels, {result["blocks"]} blocks, batch {result["batch"]},'
        f' {result["frames"]} frames of {result["size"]}x{result["size"]}, {result["precision"]}:'
        f' {result["conv_gflop"]:.0f} GFLOP of convolution'
    )
    for name, row in result['paths'].items():
        print(
            f'  {name:22s} {row["forward_ms"]:7.0f} ms forward {row["backward_ms"]:7.0f} ms'
            f' backward {row["total_ms"]:7.0f} ms = {row["times_floor"]:5.2f} x floor,'
            f' {row["gflop_per_s"]:4.0f} GFLOP/s, {row["peak_mb"]:.0f} MB'
        )
    print(
        f'  {"floor":22s} {result["floor_ms"]:7.0f} ms of convolutions alone, '
        f'{result["conv_gflop_per_s"]:.0f} GFLOP/s'
    )
    for key, text in (('speedup', 'the reference'), ('gain_over_fp32', 'ours in fp32')):
        if key in result:
            print(f'  ours is {result[key]:.2f} x as fast as {text}')


def memory_lines(results: list[dict]) -> list[str]:
    """Say what each added frame costs in memory, for what was measured at two clip lengths
    or more.
    """
    lines = []
    for last in results:
        first = next(r for r in results if all(r[k] == last[k] for k in ('size', 'precision')))
        longest = max(r['frames'] for r in results if r['size'] == last['size'])
        if last['frames'] == longest > first['frames']:
            added = {
                name: (
                    (row['peak_mb'] - first['paths'][name]['peak_mb']) / (longest - first['frames'])
                )
                for name, row in last['paths'].items()
            }
            lines.append(
                f'{last["size"]}x{last["size"]}, {last["precision"]}, MB per added frame: '
                + ', '.join(f'{name} {value:.0f}' for name, value in added.items())
            )
    return lines


def plot(report: dict, path: str) -> None:
    """Draw the milliseconds of each path over the clip length, one panel for each size and
    precision.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    groups: dict[tuple, list[dict]] = {}
    for result in report['results']:
        groups.setdefault((result['size'], result['precision']), []).append(result)
    figure = Figure(figsize=(4.5 * len(groups), 3.6), layout='constrained')
    for axes, ((size, precision), rows) in zip(
        figure.subplots(1, len(groups), squeeze=False)[0], groups.items(), strict=True
    ):
        frames = [row['frames'] for row in rows]
        for name in rows[0]['paths']:
            axes.plot(
                frames, [row['paths'][name]['total_ms'] / 1e3 for row in rows], 'o-', label=name
            )
        axes.plot(
            frames, [row['floor_ms'] / 1e3 for row in rows], 'k--', label='convolutions alone'
        )
        axes.set(
            title=f'{size}x{size}, {precision}, {report["mode"]}', xlabel='frames', ylabel='seconds'
        )
        axes.set_ylim(bottom=0)
        axes.legend()
    FigureCanvasAgg(figure).print_figure(path)


def _peak_of(step: Callable[[], object], device: torch.device) -> float:
    """MB that a step needs at its peak beside what was there before: of the allocator on a GPU,
    else of the process.
    """
    if device.type == 'cuda':
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        step()
        return (torch.cuda.max_memory_allocated(device) - before) / 2**20
    if Path('/proc/self/clear_refs').exists():
        ctypes.CDLL(None).malloc_trim(
            0
        )  # give freed memory back first, or the last path's peak would count
        Path('/proc/self/clear_refs').write_text('5')
        before = _status('VmRSS')
        step()
        return _status('VmHWM') - before
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    step()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def _status(key: str) -> float:
    lines = Path('/proc/self/status').read_text().splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1]) / 1024


def parser() -> argparse.ArgumentParser:
    result = make_parser(__doc__.splitlines()[0])
    result.add_argument('--channels', type=int, default=16, help='channels of the network')
    result.add_argument('--blocks', type=int, default=2, help='residual blocks of each branch')
    result.add_argument('--frames', type=int, nargs='+', default=[3], help='clip lengths')
    result.add_argument(
        '--size', type=int, nargs='+', default=[256], help='heights and widths of the frames'
    )
    result.add_argument('--batch', type=int, default=1, help='clips in a batch')
    result.add_argument(
        '--precision', nargs='+', default=['fp32'], help='fp32, bf16, fp16 (the last two: autocast)'
    )
    result.add_argument('--inference', action='store_true', help='forward passes only')
    result.add_argument(
        '--segment',
        type=int,
        help='also measure activation checkpointing in segments of this length',
    )
    result.add_argument('--no-reference', action='store_true', help='leave the reference path out')
    result.add_argument(
        '--frozen',
        action='store_true',
        help='freeze the flow network, as the first fix_iter steps do',
    )
    result.add_argument('--repeats', type=int, default=3, help='alternations')
    result.add_argument(
        '--threads', type=int, default=0, help='threads of PyTorch; 0 leaves its default'
    )
    result.add_argument(
        '--device', default='cuda' if torch.cuda.is_available() else 'cpu', help='cpu or cuda'
    )
    result.add_argument(
        '--cpu-time',
        action='store_true',
        help='measure processor time, for a machine that others use; wants --threads 1',
    )
    result.add_argument('--json', help='write the results to this file')
    result.add_argument('--plot', help='draw the times over the clip length to this file')
    return result


if __name__ == '__main__':
    run_script(main, parser())
