"""Kill training runs at random moments until they are done, and compare them with runs that nobody
disturbed.

    python benchmarks/fault_injection.py [--kills 200] [--seed 0]

Half of the kills are SIGKILL at a random time, half come at a named moment of a random iteration
(tests/faults/fault_points.py). Runs take turns: stage 1 without and with loader workers, stage 2,
two processes.
"""

import argparse
import importlib.util
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / 'tests' / 'faults'))

from harness import (  # noqa: E402
    STAGE_2,
    ForkServer,
    final_state,
    logged,
    newest,
    resumed_at,
    same,
    write_config,
)

ITERS = 12
MOMENTS = (
    'iteration',
    'forward',
    'backward',
    'before_step',
    'step',
    'write',
    'rename',
    'hint',
    'validation',
    'loading',
)
MODES = {
    'stage 1': ('', 0, 1),
    'stage 1, 2 workers': ('', 2, 1),
    'stage 2': (STAGE_2, 0, 1),
    'stage 1, 2 processes': ('', 0, 2),
}
KILLS_A_RUN = 10


def make_clips(folder: Path) -> tuple[Path, Path]:
    spec = importlib.util.spec_from_file_location('clips', ROOT / 'tests' / 'conftest.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    videos = ROOT / 'assets' / 'sample_videos'
    return (
        module.make_clips(folder / 'train', videos / 'bikes.mp4', 5),
        module.make_clips(folder / 'val', videos / 'bigbuckbunny.mp4', 2),
    )


def start(server: ForkServer, config: Path, processes: int, fault: str = '') -> list:
    return (
        server.start_group(processes, config, fault=fault)
        if processes > 1
        else [server.start(config, fault=fault)]
    )


def kill_once(
    server: ForkServer, config: Path, processes: int, work_dir: Path, chooser: random.Random
) -> bool:
    """Start the run and kill it; returns whether it was killed rather than done first."""
    ahead = newest(work_dir) + 1 if work_dir.exists() else 1
    if chooser.random() < 0.5:
        moment = chooser.choice(MOMENTS)
        number = chooser.randint(1, 4) if moment == 'loading' else chooser.randint(ahead, ahead + 3)
        runs = start(server, config, processes, f'{moment}:{number}')
    else:
        runs = start(server, config, processes, 'slow:1')
        time.sleep(chooser.uniform(0.1, 2.5))
        for run in runs:
            run.signal(signal.SIGKILL)
    return any(run.wait() in (-signal.SIGKILL, -signal.SIGXFSZ) for run in runs)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--kills', type=int, default=200)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    chooser, started = random.Random(args.seed), time.monotonic()
    kills = resumes = good_resumes = lost = done = equal = 0
    with tempfile.TemporaryDirectory() as folder, ForkServer(Path(folder)) as server:
        folder = Path(folder)
        clips = make_clips(folder)
        wholes = {}
        for name, (extra, workers, processes) in MODES.items():
            config = write_config(
                folder / f'whole {len(wholes)}', clips, extra, workers=workers, iters=ITERS
            )
            statuses = [run.wait() for run in start(server, config, processes)]
            assert statuses == [0] * processes, f'{name}: the undisturbed run failed'
            wholes[name] = final_state(config.with_suffix('')), logged(config.with_suffix(''))
        while kills < args.kills:
            name = list(MODES)[done % len(MODES)]
            extra, workers, processes = MODES[name]
            work_dir = folder / f'run {done}'
            config = write_config(work_dir, clips, extra, workers=workers, iters=ITERS)
            in_run = 0
            while in_run < KILLS_A_RUN and kills < args.kills:
                if not kill_once(server, config, processes, work_dir, chooser):
                    break  # it was done first
                in_run, kills = in_run + 1, kills + 1
            there = newest(work_dir) if work_dir.exists() else 0
            runs = start(server, config, processes)
            worked = [run.wait() for run in runs] == [0] * processes
            resumes, good_resumes = resumes + 1, good_resumes + worked
            lost += max(0, there - resumed_at(runs[0].output))
            state, log = wholes[name]
            end = final_state(work_dir)
            is_equal = (
                worked
                and all(same(state[key], end[key]) for key in state)
                and logged(work_dir) == log
            )
            done, equal = done + 1, equal + is_equal
            print(
                f'run {done:3} ({name}): {in_run} kills, last resumed at iteration'
                f' {resumed_at(runs[0].output)}, {"equal" if is_equal else "DIFFERENT"}',
                flush=True,
            )
    print(f'kills: {kills}')
    print(f'runs finished after their kills: {good_resumes} of {resumes}')
    print(f'iterations lost beyond the last checkpoint: {lost}')
    print(
        f"runs whose weights, optimizer, history and log equal the undisturbed run's: {equal} of"
        f' {done}'
    )
    print(f'minutes: {(time.monotonic() - started) / 60:.1f}')
    return 0 if equal == done and not lost else 1


if __name__ == '__main__':
    sys.exit(main())
