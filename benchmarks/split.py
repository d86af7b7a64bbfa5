"""How long a split takes, beside a plain copy loop in the same run; and, with --kills, whether it
survives SIGKILL.

    python benchmarks/split.py [--clips 100000] [--kills 30] [--second-disk /dev/shm]
"""

import argparse
import hashlib
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SCRIPT = (
    Path(__file__).resolve().parents[1]
    / 'scripts'
    / 'dataset_creation'
    / 'split-train-val-dataset.py'
)
FOLDERS = {'crop_unscaled_img': 'mp4', 'crop_unscaled_mask': 'mkv', 'crop_unscaled_meta': 'json'}
KILL_CLIPS = 120
KILL_MODES = [
    ['--mode', 'move'],
    ['--mode', 'copy'],
    ['--mode', 'copy', '--remove-from-train'],
    ['--mode', 'hardlink'],
    ['--mode', 'hardlink', '--remove-from-train'],
    ['--mode', 'symlink'],
    ['--mode', 'move', '--group-by', 'clip'],
]


def write_dataset(root: Path, clips: int, seed: int = 0, prefix: str = 'source') -> None:
    """Write clips of tiny files, 1 to 60 of each source."""
    rng = random.Random(seed)
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True, exist_ok=True)
    written = 0
    while written < clips:
        name = f'{prefix} {written:06d}.mp4'
        sha256 = hashlib.sha256(name.encode()).hexdigest()
        for number in range(min(rng.randint(1, 60), clips - written)):
            stem, side = f'{name}-{number:06d}', rng.choice([128, 200, 256, 400])
            metadata = {
                'version': 3,
                'name': name,
                'source': {'file': name, 'sha256': sha256, 'start_frame': number * 60},
                'fps': 25.0,
                'frames_count': 60,
                'orig_shape': [720, 1280],
                'scene_shape': [side, side],
                'base_mosaic_block_size': {'mosaic_size_v1_normal': rng.uniform(5, 30)},
                'pad': [[0, 0, 0, 0]] * 60,
                'video_path': f'../crop_unscaled_img/{stem}.mp4',
                'mask_path': f'../crop_unscaled_mask/{stem}.mkv',
            }
            for folder, suffix in FOLDERS.items():
                content = json.dumps(metadata) if suffix == 'json' else f'{suffix} {stem}'
                (root / folder / f'{stem}.{suffix}').write_text(content)
            written += 1


def run(*arguments: object) -> tuple[float, float]:
    """Run the script; returns seconds and the peak of resident memory in MB of all children
    so far.
    """
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, SCRIPT, *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return (
        time.perf_counter() - start,
        resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
    )


def measure(folder: Path, clips: int) -> None:
    root, val = folder / 'set', folder / 'set_val'
    write_dataset(root, clips)
    size = clips * 9 // 10
    print(f'{clips:,} clips of three small files, {size:,} of them to validation')
    seconds, memory = run('--src-root', root, '--val-size', size, '--mode', 'move', '--dry-run')
    print(f'plan only              {seconds:7.1f} s   {memory:5.0f} MB', flush=True)
    for mode in ('hardlink', 'move', 'copy'):
        seconds, memory = run('--src-root', root, '--val-size', size, '--mode', mode, '--yes')
        manifest = (root / 'split-manifest.jsonl').stat().st_size
        back, _ = run('--src-root', root, '--undo', '--yes')
        print(
            f'{mode:10} with plan   {seconds:7.1f} s   {memory:5.0f} MB   undo {back:5.1f} s   two'
            f' manifests of {manifest / 1e6:.0f} MB',
            flush=True,
        )
    start = time.perf_counter()
    for name in FOLDERS:
        (val / name).mkdir(parents=True)
        for path in sorted((root / name).iterdir())[:size]:
            shutil.copy2(path, val / name / path.name)
    print(f'plain copy loop        {time.perf_counter() - start:7.1f} s')


def snapshot(*roots: Path) -> dict[str, str]:
    found = {}
    for root in roots:
        for path in sorted(root.rglob('*')) if root.exists() else ():
            name = f'{root.name}/{path.relative_to(root)}'
            if path.is_symlink():
                found[name] = str(path.readlink())
            else:
                found[name] = (
                    hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else 'folder'
                )
    return found


class Case:
    """A way to split, worked on in copies of one dataset."""

    def __init__(
        self, name: str, folder: Path, options: list[str], second_disk: Path | None, extends: bool
    ):
        self.name, self.folder, self.options = name, folder, options
        self.second_disk = second_disk
        self.first = folder / 'pristine'
        write_dataset(self.first / 'set', KILL_CLIPS)
        if extends:
            run(*self.call(self.first, ['--val-size', str(KILL_CLIPS // 4), '--mode', 'move']))
            write_dataset(self.first / 'set', KILL_CLIPS, seed=7, prefix='later')
            self.options = [*options, '--extend']
        self.original = self.state(self.first)

    def val(self, place: Path) -> Path:
        return (self.second_disk / place.name if self.second_disk else place) / 'set_val'

    def state(self, place: Path) -> dict[str, str]:
        return snapshot(place / 'set', self.val(place))

    def call(self, place: Path, options: list[str] | None = None) -> list[str]:
        size = ['--val-size', str(KILL_CLIPS // 2)]
        return [
            '--src-root',
            str(place / 'set'),
            '--val-root',
            str(self.val(place)),
            *(options or [*size, *self.options]),
            '--yes',
        ]

    def undo(self, place: Path) -> list[str]:
        return [
            '--src-root',
            str(place / 'set'),
            '--val-root',
            str(self.val(place)),
            '--undo',
            '--yes',
        ]

    def copy(self, place: Path, name: str) -> Path:
        new = self.folder / name
        shutil.copytree(place, new, symlinks=True)
        if self.second_disk and self.val(place).exists():
            shutil.copytree(self.val(place), self.val(new), symlinks=True)
        return new

    def remove(self, place: Path) -> None:
        shutil.rmtree(place)
        if self.second_disk:
            shutil.rmtree(self.val(place).parent, ignore_errors=True)

    def start(self, place: Path, call: list[str], journal: str) -> subprocess.Popen:
        """Start the script and wait for the moment its journal appears, so that kills hit the work,
        not Python.
        """
        process = subprocess.Popen(
            [sys.executable, SCRIPT, *call], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while not (place / 'set' / '.lada-split' / journal).exists() and process.poll() is None:
            time.sleep(0.0002)
        return process

    def killed(
        self, place: Path, call: list[str], journal: str, within: float, rng: random.Random
    ) -> bool:
        process = self.start(place, call, journal)
        time.sleep(rng.uniform(0, within))
        process.kill()
        return process.wait() != 0


def survive(folder: Path, kills: int, second_disk: Path | None, only: str) -> None:
    """Kill splits at random moments; finish what is left, then put it back as it was left, and undo
    it.
    """
    cases: dict[str, tuple[list[str], Path | None, bool]] = {
        ' '.join(options): (options, None, False) for options in KILL_MODES
    }
    cases['move --extend'] = (['--mode', 'move'], None, True)
    if second_disk is not None:
        cases['move to another disk'] = (['--mode', 'move'], second_disk, False)
    for number, (name, (options, disk, extends)) in enumerate(cases.items()):
        if only not in name:
            continue
        case = Case(name, folder / f'case {number}', options, disk, extends)
        place = case.copy(case.first, 'here')
        process = case.start(place, case.call(place), 'plan.jsonl')
        begin = time.perf_counter()
        assert process.wait() == 0, name
        work = time.perf_counter() - begin
        undisturbed = case.state(place)
        process = case.start(place, case.undo(place), 'undo.jsonl')
        begin = time.perf_counter()
        assert process.wait() == 0, name
        undo_work = time.perf_counter() - begin
        assert case.state(place) == case.original, f'{name}: undo ended elsewhere'
        case.remove(place)
        rng, killed, undo_kills, moments = random.Random(name), 0, 0, set()
        while killed < kills:
            # Always the same place: the journal and the manifests name the other root relative to
            # their own.
            place = case.copy(case.first, 'here')
            if not case.killed(place, case.call(place), 'plan.jsonl', work, rng):
                case.remove(place)
                continue
            moments.add(len(snapshot(case.val(place))))
            left = case.copy(place, 'left')
            run(*case.call(place))
            assert case.state(place) == undisturbed, (
                f'{name}, kill {killed}: the second call ended elsewhere'
            )
            case.remove(place)
            case.copy(left, 'here')
            undo_kills += case.killed(place, case.undo(place), 'undo.jsonl', undo_work, rng)
            # A killed undo may have been complete already; one more would then take back the split
            # before it, too.
            if case.state(place) != case.original:
                run(*case.undo(place))
            assert case.state(place) == case.original, (
                f'{name}, kill {killed}: undo ended elsewhere'
            )
            case.remove(place)
            case.remove(left)
            killed += 1
        print(
            f'{name}: {killed} kills, with {min(moments)} to {max(moments)} entries in the'
            f' validation root ({len(moments)} different counts), {undo_kills} of their undos'
            ' killed too: every second call ended as if undisturbed, every undo in the original'
            ' state',
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--clips', type=int, default=100_000, help='0: do not measure')
    parser.add_argument('--kills', type=int, default=0, help='of every mode')
    parser.add_argument('--folder', type=Path, help='where to work; a temporary folder by default')
    parser.add_argument('--case', help='kill only in cases whose name holds this')
    parser.add_argument(
        '--second-disk', type=Path, help='a folder on another disk, for kills while moving there'
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        if arguments.clips:
            measure(Path(folder) / 'speed', arguments.clips)
        if arguments.kills:
            with tempfile.TemporaryDirectory(dir=arguments.second_disk) as other:
                survive(
                    Path(folder) / 'kills',
                    arguments.kills,
                    Path(other) if arguments.second_disk else None,
                    arguments.case or '',
                )


if __name__ == '__main__':
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    main()
