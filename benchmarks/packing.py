"""A packed dataset against one of single files: packing, opening, samples.

    python benchmarks/packing.py
    python benchmarks/packing.py --clips 10000

Many clips: copies of one small clip under other names, three files each. Samples: clips cut from
the sample videos, made from files and from the tar file in turn, each the same draw, so that both
find their files in the system's cache; the ratio is samples a second of processor time from tar
files over those from files. With `--s3` also from an S3 server on this machine (moto's), with and
without what has been downloaded before; there the time is wall-clock time.
"""

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from lada.data import ClipDraw, InfiniteSampler, MosaicVideoDataset
from lada.dataset_tools.create.creation import create_dataset
from lada.dataset_tools.create.planning import CreationSettings
from lada.dataset_tools.packing import pack_dataset, unpack_dataset
from lada.folders import mask_path, metadata_path, video_path

SAMPLES = Path(__file__).resolve().parents[1] / 'assets' / 'sample_videos'


def clock(function, *args, now=time.perf_counter):
    begin = now()
    result = function(*args)
    return now() - begin, result


def copies(root: Path, folder: Path, count: int) -> None:
    """Write the smallest clip of a dataset so many times."""
    places = (metadata_path, video_path, mask_path)
    stems = [path.stem for path in metadata_path(root, '').parent.glob('*.json')]
    stem = min(stems, key=lambda stem: video_path(root, stem).stat().st_size)
    contents = [place(root, stem).read_bytes() for place in places]
    for place in places:
        place(folder, stem).parent.mkdir(parents=True)
    for number in range(count):
        name = f'film-{number // 100:04d}.mp4-{number % 100:06d}'
        for place, content in zip(places, contents, strict=True):
            content = content.replace(stem.encode(), name.encode())
            place(folder, name).write_bytes(content)


def many_clips(root: Path, work: Path, count: int) -> None:
    files, packed = work / 'files', work / 'packed'
    copies(root, files, count)
    size = sum(path.stat().st_size for path in files.rglob('*.*') if path.is_file())
    print(f'{count:,} clips: {3 * count:,} files, {size / 1e6:,.0f} MB')
    MosaicVideoDataset(files / 'crop_unscaled_meta', num_frame=1)
    seconds, _ = clock(pack_dataset, [files], packed, int(1e9))
    found = [path.stat().st_size for path in packed.iterdir()]
    print(
        f'  packed in {seconds:.0f} s ({count / seconds:,.0f} clips/s): {len(found)} files,'
        f' {sum(found) / 1e6:,.0f} MB'
    )
    seconds, dataset = clock(lambda: MosaicVideoDataset(packed, num_frame=1))
    first, _ = clock(dataset.load, ClipDraw(count // 2, 0))
    print(f'  opened in {seconds:.3f} s, first sample after another {first:.3f} s')

    def resume():
        sampler = InfiniteSampler(dataset, seed=0)
        sampler.skip(1_000_000)
        return dataset[next(iter(sampler))]

    seconds, _ = clock(resume)
    print(f'  positioned at sample 1,000,000, with that sample, in {seconds:.3f} s')
    seconds, _ = clock(unpack_dataset, packed, work / 'back')
    print(f'  unpacked in {seconds:.0f} s')


def samples(root: Path, work: Path, repeats: int) -> None:
    pack_dataset([root], work / 'some', int(1e9))
    for name, degrade in (('no degradation', False), ('full degradation', True)):
        datasets = [
            MosaicVideoDataset(folder, num_frame=30, degrade=degrade)
            for folder in (root / 'crop_unscaled_meta', work / 'some')
        ]
        ratios, times = [], ([], [])
        for epoch in range(repeats):
            for index in range(len(datasets[0])):
                order = (0, 1) if (epoch + index) % 2 else (1, 0)
                pair = [0.0, 0.0]
                for which in order:
                    pair[which], _ = clock(
                        datasets[which].load, ClipDraw(index, epoch), now=time.process_time
                    )
                if epoch:  # the first round warms up
                    ratios.append(pair[0] / pair[1])
                    for each, seconds in zip(times, pair, strict=True):
                        each.append(seconds)
        print(
            f'{name}: {len(ratios)} samples, from files {1000 * statistics.mean(times[0]):.1f} ms,'
            f' from a tar file {1000 * statistics.mean(times[1]):.1f} ms; samples/s'
            f' {sum(times[0]) / sum(times[1]):.3f} x, median of single ratios'
            f' {statistics.median(ratios):.3f}'
        )


@contextmanager
def s3_server():
    """Run moto's server in a process of its own and point S3's clients to it."""
    with socket.create_server(('127.0.0.1', 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, '-m', 'moto.server', '-p', str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.environ.update(
        AWS_ACCESS_KEY_ID='key',
        AWS_SECRET_ACCESS_KEY='secret',
        AWS_DEFAULT_REGION='us-east-1',
        AWS_ENDPOINT_URL=f'http://127.0.0.1:{port}',
    )
    try:
        while server.poll() is None:
            try:
                socket.create_connection(('127.0.0.1', port)).close()
                break
            except OSError:
                time.sleep(0.1)
        yield
    finally:
        server.terminate()
        server.wait()


def from_s3(packed: Path, work: Path, repeats: int) -> None:
    import boto3

    with s3_server():
        client = boto3.client('s3')
        client.create_bucket(Bucket='films')
        for path in packed.iterdir():
            client.upload_file(str(path), 'films', f'some/{path.name}')
        kept = dict(folder=str(work / 'downloads'), max_gb=1)
        datasets = {
            'disk': MosaicVideoDataset(packed, num_frame=30),
            'S3': MosaicVideoDataset('s3://films/some', num_frame=30),
            'S3, downloaded before': MosaicVideoDataset(
                's3://films/some', num_frame=30, download_cache=kept
            ),
        }
        times = {name: [] for name in datasets}
        for epoch in range(repeats):
            for index in range(len(datasets['disk'])):
                for name, dataset in datasets.items():
                    seconds, _ = clock(dataset.load, ClipDraw(index, epoch))
                    if epoch:
                        times[name].append(seconds)
        base = sum(times['disk'])
        for name, each in times.items():
            print(
                f'from {name}: {1000 * statistics.mean(each):.1f} ms a sample without degradation;'
                f' samples/s {base / sum(each):.3f} x those from disk'
            )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--clips', type=int, default=100_000)
    parser.add_argument('--repeats', type=int, default=7)
    parser.add_argument('--s3', action='store_true', help='only samples, from disk and from S3')
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        root = work / 'clips'
        create_dataset([SAMPLES], root, CreationSettings(max_frames=40), workers=1)
        if args.s3:
            pack_dataset([root], work / 'some', int(1e9))
            from_s3(work / 'some', work, args.repeats)
            return
        samples(root, work, args.repeats)
        many_clips(root, work, args.clips)
        shutil.rmtree(work / 'files')


if __name__ == '__main__':
    main()
