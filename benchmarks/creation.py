"""Time of creating the demo dataset, and memory of a worker that cuts 4K video.

    python benchmarks/creation.py

The two sample videos become clips as in `run_demo.sh`, with two workers, timed by the wall clock.
Then a 3840x2160 video made of an enlarged sample video is cut in one process, whose largest
resident size is printed.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2

from lada.video import iter_frames, write_video

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / 'scripts' / 'dataset_creation' / 'create-mosaic-restoration-dataset.py'
SAMPLES = ROOT / 'assets' / 'sample_videos'


def create(*options):
    begin = time.perf_counter()
    call = [sys.executable, str(SCRIPT), *map(str, options)]
    said = (
        subprocess.run(call, check=True, capture_output=True, text=True).stdout.strip().splitlines()
    )
    return time.perf_counter() - begin, next(line for line in said if ' from ' in line)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--frames', type=int, default=60, help='frames of the 4K video')
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        seconds, said = create(
            '--input',
            SAMPLES,
            '--output-root',
            folder / 'demo',
            '--max-frames',
            40,
            '--clips-per-shot',
            3,
            '--size-range',
            0.4,
            0.65,
            '--workers',
            2,
        )
        print(f'demo dataset: {seconds:.1f} s, {said}', flush=True)
        enlarged = (
            cv2.resize(frame, (3840, 2160), interpolation=cv2.INTER_CUBIC)
            for frame in iter_frames(SAMPLES / 'bigbuckbunny.mp4', 0, args.frames)
        )
        write_video(folder / '4k.mp4', enlarged, 25, options={'preset': 'ultrafast'})
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        seconds, said = create(
            '--input',
            folder / '4k.mp4',
            '--output-root',
            folder / '4k',
            '--max-blur',
            0,
            '--workers',
            1,
        )
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        bound = '' if peak > before else ' or less'
        print(
            f'4K: {seconds:.1f} s for {args.frames} frames, at most {peak / 1e6:.2f} GB'
            f' resident{bound}; {said}'
        )


if __name__ == '__main__':
    main()
