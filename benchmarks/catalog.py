"""Opening a catalog of a million clips: time, and memory of eight worker processes together.

    python benchmarks/catalog.py

The index is made without its metadata files, as if they had been read before. Every process opens
the split's dataset and reads rows all over the index. Memory is the proportional set size, in which
pages shared by n processes count as 1/n each, beyond that of the same processes before they opened
it.
"""

import argparse
import multiprocessing
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from lada.data import ClipCatalog, MosaicVideoDataset
from lada.data.index import SETTLED_NS, _places, _write, row_type


def pss_mb() -> float:
    text = Path('/proc/self/smaps_rollup').read_text()
    return (
        next(int(line.split()[1]) for line in text.splitlines() if line.startswith('Pss:')) / 1000
    )


def write_index(folder: Path, count: int) -> None:
    rows = np.zeros(count, row_type(32))
    rows['stem'] = np.char.add(b'source-video.mp4-', np.char.zfill(np.arange(count).astype('S'), 9))
    rows['frames_count'], rows['quality'] = 40, 0.5
    os.utime(folder, ns=(time.time_ns() - 10 * SETTLED_NS,) * 2)
    place = _places(folder)[0]
    place.parent.mkdir(parents=True, exist_ok=True)
    _write(place, rows, os.stat(folder).st_mtime_ns)


def work(folder: Path, ready, results) -> None:
    before = pss_mb()
    ready.wait()
    begin = time.perf_counter()
    dataset = MosaicVideoDataset(folder, num_frame=30)
    seconds = time.perf_counter() - begin
    for index in np.random.default_rng(0).integers(0, len(dataset), 10_000):
        dataset.catalog.stem(int(index))
    ready.wait()
    after = pss_mb()
    ready.wait()
    results.put((seconds, after - before))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--clips', type=int, default=1_000_000)
    parser.add_argument('--workers', type=int, default=8)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root) / 'crop_unscaled_meta'
        folder.mkdir()
        write_index(folder, args.clips)
        begin = time.perf_counter()
        catalog = ClipCatalog.open(folder)
        opened = time.perf_counter() - begin
        begin = time.perf_counter()
        MosaicVideoDataset(folder, num_frame=30)
        print(
            f'{len(catalog):,} clips: catalog opened in {1000 * opened:.1f} ms, dataset with its'
            f' filters in {time.perf_counter() - begin:.2f} s'
        )
        context = multiprocessing.get_context('spawn')
        ready, results = context.Barrier(args.workers), context.Queue()
        processes = [
            context.Process(target=work, args=(folder, ready, results)) for _ in range(args.workers)
        ]
        for process in processes:
            process.start()
        found = [results.get(timeout=300) for _ in processes]
        for process in processes:
            process.join()
        print(
            f'{args.workers} processes: slowest opened the dataset in'
            f' {max(s for s, _ in found):.2f} s, {sum(m for _, m in found):.0f} MB together'
        )


if __name__ == '__main__':
    main()
