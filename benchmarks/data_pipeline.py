"""Cost of training samples: per stage, against the codec floor, over workers, frames and sizes; and
a leak check.

    python benchmarks/data_pipeline.py
    python benchmarks/data_pipeline.py --leak 10000

Clips are cut from the sample videos, or taken from `--data ROOT`. Every sample is made once by the
dataset's own transforms, timed one by one, and right after that its codec floor is timed: the same
video and mask frames decoded, and the same frames, already Y'CbCr, encoded and decoded by the same
codecs with the same settings, and nothing else: no conversion to or from RGB, no copy. Milliseconds
are of processor time on one core, means over the samples.
"""

import argparse
import copy
import statistics
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack, closing, contextmanager
from multiprocessing import Process
from pathlib import Path

import av
from degrading_codecs import run
from torch.utils.data import DataLoader

from lada.data import InfiniteSampler, MosaicVideoDataset, init_worker, sample_rng
from lada.dataset_tools.create.creation import create_dataset
from lada.dataset_tools.create.planning import CreationSettings
from lada.engine.loader import PREFETCH
from lada.mosaic.degradations.video_compression import VideoCompression
from lada.video.pixel_format import yuv420p_frame

SAMPLES = Path(__file__).resolve().parents[1] / 'assets' / 'sample_videos'


@contextmanager
def clips_folder(root):
    """Give the metadata folder of a dataset; without one, of clips cut from the sample videos."""
    with ExitStack() as stack:
        if root is None:
            root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            # In a process of its own: what creation used and freed would hide a leak.
            maker = Process(target=create_dataset, args=([SAMPLES], root, CreationSettings()))
            maker.start()
            maker.join()
        yield root / 'crop_unscaled_meta'


def decode_range(path, start, stop):
    """Decode frames start to stop of a clip written by Lada (constant rate, closed groups),
    converting none.
    """
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        step = 1 / (stream.average_rate * stream.time_base)
        if start:
            container.seek(int(start * step), stream=stream)
        with closing(container.decode(stream)) as frames:
            for frame in frames:
                if round(frame.pts / step) >= stop - 1:
                    return


def timed(sums, name, function, *args):
    begin = time.process_time()
    result = function(*args)
    sums[name] += 1000 * (time.process_time() - begin)
    return result


def measure_sample(dataset, draw, stages, floor):
    """Make one sample stage by stage, then its floor; milliseconds are added to ``stages`` and
    ``floor``.
    """
    whole, least = defaultdict(float), defaultdict(float)
    rng = sample_rng(dataset.seed, draw.index, draw.epoch)
    results = timed(whole, 'metadata', dataset.begin, draw, rng)
    meta, start, stop = results['meta'], results['start'], results['stop']
    passes = []
    for transform in dataset.pipeline:
        name = type(transform).__name__
        if name != 'DegradeClip':
            results = timed(whole, name, transform, results)
            continue
        frames = results['inputs']
        for step in transform.steps:
            if isinstance(step, VideoCompression):
                choice = step.choose(frames.shape, copy.deepcopy(rng))
                if choice is not None:
                    passes.append((*choice, frames))
            frames = timed(whole, f'{name}: {type(step).__name__}', step, frames, rng)
        results['inputs'] = frames
        timed(whole, f'{name}: padding', transform.finish, results)
    timed(least, 'decode video', decode_range, meta.video_path, start, stop)
    timed(least, 'decode mask', decode_range, meta.mask_path, start, stop)
    for codec, quality, frames in passes:
        pictures = [yuv420p_frame(frame, 'bt601') for frame in frames]
        timed(least, 'encode and decode', run, codec, pictures, quality)
    for sums, new in ((stages, whole), (floor, least)):
        for name, value in new.items():
            sums[name] += value
    return sum(whole.values()), sum(least.values())


def options_of(args, **changes):
    return (
        dict(
            num_frame=args.frames, min_num_frame=1, degrade=True, use_hflip=True, lq_size=args.size
        )
        | changes
    )


def report_stages(folder, args):
    for name, changes in (('full degradation', {}), ('no degradation', dict(degrade=False))):
        dataset = MosaicVideoDataset(folder, **options_of(args, **changes))
        draws = iter(InfiniteSampler(dataset, seed=1))
        measure_sample(dataset, next(draws), defaultdict(float), defaultdict(float))
        stages, floor = defaultdict(float), defaultdict(float)
        pairs = [measure_sample(dataset, next(draws), stages, floor) for _ in range(args.samples)]
        total, least = (statistics.mean(column) for column in zip(*pairs, strict=True))
        print(
            f'\n{name}: {total:.1f} ms a sample, {1000 / total:.1f} samples/s per core; codec floor'
            f' {least:.1f} ms; ratio {total / least:.2f}  ({args.samples} samples of {args.frames}'
            f' frames, {args.size}x{args.size})'
        )
        for title, sums in (('stage', stages), ('floor', floor)):
            for stage, value in sums.items():
                print(f'  {title}  {stage:32} {value / args.samples:7.1f} ms')


def report_cache(folder, args):
    with tempfile.TemporaryDirectory() as place:
        dataset = MosaicVideoDataset(folder, **options_of(args, cache=dict(folder=place, max_gb=8)))
        for index in range(len(dataset)):
            dataset[index]
        draws, begin = iter(InfiniteSampler(dataset, seed=1)), time.process_time()
        for _ in range(args.samples):
            dataset[next(draws)]
        print(
            '\nfull degradation, decoded clips cached:'
            f' {1000 * (time.process_time() - begin) / args.samples:.1f} ms a sample'
        )


def report_scaling(folder, args):
    """Over four times the samples: clips differ in size, and a few decide the figure of a short
    run.
    """
    batches_timed = 2 * args.samples
    print(f'\nsamples/s of wall clock through a DataLoader, {batches_timed} batches of 2')
    speeds = []
    for workers in (1, 2):
        dataset = MosaicVideoDataset(folder, **options_of(args))
        loader = DataLoader(
            dataset,
            batch_size=2,
            sampler=InfiniteSampler(dataset, seed=2),
            num_workers=workers,
            prefetch_factor=PREFETCH,
            collate_fn=lambda samples: samples,
            worker_init_fn=init_worker,
        )
        begin = time.perf_counter()
        batches = iter(loader)
        for _ in range(2):
            next(batches)
        ready = time.perf_counter()
        for _ in range(batches_timed):
            next(batches)
        speeds.append(2 * batches_timed / (time.perf_counter() - ready))
        print(
            f'  {workers} workers: {speeds[-1]:5.1f} ({speeds[-1] / speeds[0]:.2f} x), first two'
            f' batches after {ready - begin:.1f} s'
        )
        del batches


def report_growth(folder, args):
    print('\nms a sample with full degradation, by frames and side')
    count = max(8, args.samples // 4)
    for frames in (8, 15, 30):
        cells = []
        for size in (128, 256, 384):
            dataset = MosaicVideoDataset(folder, **options_of(args, num_frame=frames, lq_size=size))
            draws = iter(InfiniteSampler(dataset, seed=3))
            begin = time.process_time()
            for _ in range(count):
                dataset[next(draws)]
            cells.append(f'{size}: {1000 * (time.process_time() - begin) / count:6.1f}')
        print(f'  {frames:3} frames   ' + '   '.join(cells))


def resident_mb():
    fields = dict(line.split(':', 1) for line in Path('/proc/self/status').read_text().splitlines())
    return int(fields['VmRSS'].split()[0]) / 1024


def report_leak(folder, args):
    """Make many small samples, as varied as training's, and print the resident size on the way."""
    dataset = MosaicVideoDataset(
        folder, **options_of(args, num_frame=args.leak_frames, lq_size=args.leak_size)
    )
    draws, sizes = iter(InfiniteSampler(dataset, seed=4)), []
    for number in range(1, args.leak + 1):
        dataset[next(draws)]
        if number % max(1, args.leak // 10) == 0:
            sizes.append(resident_mb())
            print(f'  after {number:6} samples: {sizes[-1]:.1f} MB resident', flush=True)
    print(f'  growth from the first tenth on: {100 * (sizes[-1] / sizes[0] - 1):+.2f} %')


PARTS = {
    'stages': report_stages,
    'cache': report_cache,
    'scaling': report_scaling,
    'growth': report_growth,
}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        '--data', type=Path, help='root of a dataset; default: clips of the sample videos'
    )
    parser.add_argument('--samples', type=int, default=60)
    parser.add_argument('--frames', type=int, default=30)
    parser.add_argument('--size', type=int, default=256)
    parser.add_argument('--parts', nargs='+', default=list(PARTS), choices=list(PARTS))
    parser.add_argument(
        '--leak', type=int, metavar='N', help='only: make N samples and print the resident size'
    )
    parser.add_argument('--leak-frames', type=int, default=6)
    parser.add_argument('--leak-size', type=int, default=64)
    args = parser.parse_args()
    init_worker(0)
    with clips_folder(args.data) as folder:
        if args.leak:
            report_leak(folder, args)
            return
        for part in args.parts:
            PARTS[part](folder, args)


if __name__ == '__main__':
    main()
