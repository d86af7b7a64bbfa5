"""Seconds from building the data loader to the first index and to the first batch, for fresh and
resumed runs.

    python benchmarks/resume.py [--clips 1000000]

A real dataset folder: every clip has its metadata file (a hard link) and an entry in the index. The
reference is MMEngine's replay (``MMENGINE_RESUME_DATALOADER=1``): so many batches are measured, in
this run, and the rest is extrapolated. Batch size 1, no workers, 2 frames, no degradation: a longer
sample makes the replay slower only.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / 'benchmarks'))

from fault_injection import make_clips  # noqa: E402
from mmengine.runner import Runner  # noqa: E402

import lada.data  # noqa: E402
import lada.engine  # noqa: E402
from lada.engine.mmengine_private import InfiniteIterator  # noqa: E402

LINKS = 60_000  # to one file; a file system's limit may be 65,000
STEPS = (0, 1_000, 30_000, 1_000_000)
MEASURED = 300


def write_dataset(folder: Path, clips: int) -> Path:
    """Return the metadata folder of ``clips`` clips that share the files of a few."""
    source = make_clips(folder / 'source')[0]
    metadata = folder / 'set' / 'crop_unscaled_meta'
    metadata.mkdir(parents=True)
    for name in ('crop_unscaled_img', 'crop_unscaled_mask'):
        (source.parent / name).rename(folder / 'set' / name)
    originals = [path.read_text() for path in sorted(source.glob('*.json'))]
    for number in range(clips):
        kind = number // LINKS
        original = folder / f'{kind}.json'
        if not original.exists():
            original.write_text(originals[kind % len(originals)])
        os.link(original, metadata / f'clip-{number:07d}.json')
    return metadata


def loader(metadata: Path):
    return Runner.build_dataloader(
        dict(
            batch_size=1,
            num_workers=0,
            sampler=dict(type='lada.InfiniteSampler', shuffle=True, seed=42),
            dataset=dict(
                type='lada.MosaicVideoDataset',
                metadata_root_dir=str(metadata),
                num_frame=2,
                lq_size=256,
            ),
            collate_fn=dict(type='default_collate'),
        )
    )


def ours(metadata: Path, consumed: int) -> tuple[float, float]:
    """Return seconds to the first index and to the first batch."""
    start = time.perf_counter()
    built = loader(metadata)
    built.sampler.load_state_dict(dict(consumed=consumed))
    next(iter(built.sampler))
    index = time.perf_counter() - start
    iterator = InfiniteIterator(built)
    next(iterator)
    return index, time.perf_counter() - start


def replay(metadata: Path, batches: int) -> tuple[float, float]:
    """Return seconds to build the loader and seconds for each replayed batch."""
    start = time.perf_counter()
    built = loader(metadata)
    iterator = InfiniteIterator(built)
    next(iterator)
    ready = time.perf_counter() - start
    for _ in range(batches):
        next(iterator)
    return ready, (time.perf_counter() - start - ready) / batches


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--clips', type=int, default=1_000_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        metadata = write_dataset(Path(folder), args.clips)
        print(f'{args.clips} clips written in {time.perf_counter() - start:.0f} s')
        start = time.perf_counter()
        lada.data.ClipCatalog.open(metadata)
        print(f'indexed once in {time.perf_counter() - start:.0f} s')
        time.sleep(2.1)  # the index is trusted once the folder has been at rest for 2 s
        lada.data.ClipCatalog.open(metadata)
        ready, per_batch = replay(metadata, MEASURED)
        print(
            f"MMEngine's replay: {per_batch * 1000:.1f} ms a batch, measured over {MEASURED}"
            ' batches'
        )
        print(
            f'{"iteration":>10} {"ours: index":>12} {"first batch":>12} {"replay":>14}'
            f' {"ratio":>10}'
        )
        for step in STEPS:
            times = [ours(metadata, step) for _ in range(3)]
            index, batch = (min(part) for part in zip(*times, strict=True))
            other = ready + step * per_batch
            note = 's' if step <= MEASURED else 's (extrapolated)'
            print(
                f'{step:>10} {index:>10.3f} s {batch:>10.3f} s {other:>10.1f} {note}'
                f' {other / batch:>8.0f}x',
                flush=True,
            )


if __name__ == '__main__':
    main()
