"""Time one training step of BasicVSR++: ours against the reference path and against its convolutions alone.

All three are measured in one process, alternating, because machines and their load differ; read the ratios.
"""

import argparse
import ctypes
import json
import platform
import resource
import sys
from pathlib import Path
from statistics import median

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))

from conv_floor import ConvRecorder, clock_for, measure, total_flops
from reference_basicvsrpp import reference_forward

from lada.cli import make_parser, run_script
from lada.errors import LadaError
from lada.models import BasicVSRPlusPlusNet, CharbonnierLoss

DTYPES = {'fp32': torch.float32, 'bf16': torch.bfloat16}


def main(args: argparse.Namespace) -> None:
    device = torch.device(args.device)
    if args.threads:
        torch.set_num_threads(args.threads)
    unknown = set(args.precision) - set(DTYPES)
    if unknown:
        raise LadaError(f'unknown precision: {", ".join(unknown)}; choose from {", ".join(DTYPES)}')
    results = [case(args, device, frames, precision) for frames in args.frames for precision in args.precision]
    report = dict(torch=torch.__version__, threads=torch.get_num_threads(), machine=platform.machine(),
                  device=torch.cuda.get_device_name(device) if device.type == 'cuda' else 'cpu',
                  clock='processor' if args.cpu_time else 'wall', results=results)
    print(json.dumps(report))
    if args.json:
        Path(args.json).write_text(json.dumps(report, indent=1) + '\n')


def case(args: argparse.Namespace, device: torch.device, frames: int, precision: str) -> dict:
    """Measure one clip length in one precision and print a table."""
    torch.manual_seed(0)
    net = BasicVSRPlusPlusNet(args.channels, args.blocks, is_low_res_input=False).to(device)
    for parameter in net.parameters():
        if not parameter.any():  # layers that start at zero would make parts of the work trivial
            torch.nn.init.normal_(parameter, std=0.01)
    net.spynet.requires_grad_(not args.frozen)
    clip = torch.rand(args.batch, frames, 3, args.size, args.size, device=device)
    target, loss = torch.rand_like(clip), CharbonnierLoss()
    paths = {'reference': lambda: reference_forward(net, clip), 'ours': lambda: net(clip)}
    clock = clock_for(device, args.cpu_time)

    def step(path) -> tuple[float, float, float]:
        net.zero_grad(set_to_none=True)
        _reset_peak(device)
        start = clock()
        with torch.autocast(device.type, DTYPES[precision], enabled=precision != 'fp32'):
            output = path()
            value = loss(output, target)
        middle = clock()
        value.backward()
        end = clock()
        return middle - start, end - middle, _peak(device)

    with ConvRecorder() as recorder:  # also the warm-up of the reference path
        step(paths['reference'])
    step(paths['ours'])
    flops = total_flops(recorder.convs)
    times = {name: [] for name in paths}
    floors = []
    for _ in range(args.repeats):
        for name, path in paths.items():
            times[name].append(step(path))
        floors.append(measure(recorder.convs, device, clock, repeats=2))

    floor = median(floors)
    result = dict(channels=args.channels, blocks=args.blocks, frames=frames, size=args.size, batch=args.batch,
                  precision=precision, flow_frozen=args.frozen, conv_gflop=flops / 1e9, floor_ms=floor * 1e3,
                  conv_gflop_per_s=flops / floor / 1e9)
    print(f'{args.channels} channels, {args.blocks} blocks, batch {args.batch}, {frames} frames of '
          f'{args.size}x{args.size}, {precision}: {flops / 1e9:.0f} GFLOP of convolution')
    for name, rows in times.items():
        forward, backward = median(row[0] for row in rows), median(row[1] for row in rows)
        total = median(row[0] + row[1] for row in rows)
        result[name] = dict(forward_ms=forward * 1e3, backward_ms=backward * 1e3, total_ms=total * 1e3,
                            peak_mb=max(row[2] for row in rows), times_floor=total / floor,
                            steps_ms=[round((row[0] + row[1]) * 1e3, 1) for row in rows])
        print(f'  {name:10s} {forward * 1e3:9.0f} ms forward {backward * 1e3:9.0f} ms backward '
              f'{total * 1e3:9.0f} ms in all = {total / floor:5.2f} x floor, peak {result[name]["peak_mb"]:.0f} MB')
    result['speedup'] = result['reference']['total_ms'] / result['ours']['total_ms']
    print(f'  {"floor":10s} {floor * 1e3:9.0f} ms of convolutions alone ({flops / floor / 1e9:.0f} GFLOP/s)')
    print(f'  ours is {result["speedup"]:.2f} x as fast as the reference')
    return result


def _reset_peak(device: torch.device) -> None:
    if device.type == 'cuda':
        torch.cuda.reset_peak_memory_stats(device)
    elif Path('/proc/self/clear_refs').exists():
        ctypes.CDLL(None).malloc_trim(0)  # give freed memory back first, or the last path's peak would count
        Path('/proc/self/clear_refs').write_text('5')


def _peak(device: torch.device) -> float:
    """Peak memory in MB: of the allocator on a GPU; of the whole process on a CPU."""
    if device.type == 'cuda':
        return torch.cuda.max_memory_allocated(device) / 2 ** 20
    status = Path('/proc/self/status')
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith('VmHWM'))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def parser() -> argparse.ArgumentParser:
    result = make_parser(__doc__.splitlines()[0])
    result.add_argument('--channels', type=int, default=16, help='channels of the network')
    result.add_argument('--blocks', type=int, default=2, help='residual blocks of each branch')
    result.add_argument('--frames', type=int, nargs='+', default=[3], help='clip lengths')
    result.add_argument('--size', type=int, default=256, help='height and width of the frames')
    result.add_argument('--batch', type=int, default=1, help='clips in a batch')
    result.add_argument('--precision', nargs='+', default=['fp32'], help='fp32 and/or bf16 (autocast)')
    result.add_argument('--frozen', action='store_true', help='freeze the flow network, as the first fix_iter steps do')
    result.add_argument('--repeats', type=int, default=3, help='alternations')
    result.add_argument('--threads', type=int, default=0, help='threads of PyTorch; 0 leaves its default')
    result.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu', help='cpu or cuda')
    result.add_argument('--cpu-time', action='store_true',
                        help='measure processor time, for a machine that others use; wants --threads 1')
    result.add_argument('--json', help='write the results to this file')
    return result


if __name__ == '__main__':
    run_script(main, parser())
