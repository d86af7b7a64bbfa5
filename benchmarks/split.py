"""How long a split takes, beside a plain copy loop in the same run; and, with --kills, whether it survives SIGKILL.

    python benchmarks/split.py [--clips 100000] [--kills 30]
"""

import argparse
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[1] / 'scripts' / 'dataset_creation' / 'split-train-val-dataset.py'
FOLDERS = {'crop_unscaled_img': 'mp4', 'crop_unscaled_mask': 'mkv', 'crop_unscaled_meta': 'json'}


def write_dataset(root: Path, clips: int, seed: int = 0) -> None:
    """Write clips of tiny files, 1 to 60 of each source."""
    rng = random.Random(seed)
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True)
    written = 0
    while written < clips:
        name = f'source {written:06d}.mp4'
        sha256 = hashlib.sha256(name.encode()).hexdigest()
        for number in range(min(rng.randint(1, 60), clips - written)):
            stem, side = f'{name}-{number:06d}', rng.choice([128, 200, 256, 400])
            metadata = {
                'version': 3, 'name': name, 'source': {'file': name, 'sha256': sha256, 'start_frame': number * 60},
                'fps': 25.0, 'frames_count': 60, 'orig_shape': [720, 1280], 'scene_shape': [side, side],
                'base_mosaic_block_size': {'mosaic_size_v1_normal': rng.uniform(5, 30)}, 'pad': [[0, 0, 0, 0]] * 60,
                'video_path': f'../crop_unscaled_img/{stem}.mp4', 'mask_path': f'../crop_unscaled_mask/{stem}.mkv'}
            for folder, suffix in FOLDERS.items():
                content = json.dumps(metadata) if suffix == 'json' else f'{suffix} {stem}'
                (root / folder / f'{stem}.{suffix}').write_text(content)
            written += 1


def run(*arguments: object) -> tuple[float, float]:
    """Run the script; returns seconds and the peak of resident memory in MB of all children so far."""
    start = time.perf_counter()
    subprocess.run([sys.executable, SCRIPT, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    return time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def measure(folder: Path, clips: int) -> None:
    root, val = folder / 'set', folder / 'set_val'
    write_dataset(root, clips)
    size = clips * 9 // 10
    print(f'{clips:,} clips of three small files, {size:,} of them to validation')
    seconds, memory = run('--src-root', root, '--val-size', size, '--mode', 'move', '--dry-run')
    print(f'plan only              {seconds:7.1f} s   {memory:5.0f} MB')
    for mode in ('hardlink', 'move', 'copy'):
        seconds, memory = run('--src-root', root, '--val-size', size, '--mode', mode, '--yes')
        back, _ = run('--src-root', root, '--undo', '--yes')
        print(f'{mode:10} with plan   {seconds:7.1f} s   {memory:5.0f} MB   undo {back:5.1f} s')
    start = time.perf_counter()
    for name in FOLDERS:
        (val / name).mkdir(parents=True)
        for path in sorted((root / name).iterdir())[:size]:
            shutil.copy2(path, val / name / path.name)
    print(f'plain copy loop        {time.perf_counter() - start:7.1f} s')


def snapshot(*roots: Path) -> dict[str, str]:
    return {str(p.relative_to(r.parent)): hashlib.sha256(p.read_bytes()).hexdigest() if p.is_file() else 'folder'
            for r in roots if r.exists() for p in sorted(r.rglob('*'))}


def survive(folder: Path, kills: int) -> None:
    """Kill splits at random moments of their work; finish one copy of what is left, and take the other back."""
    pristine = folder / 'pristine' / 'set'
    write_dataset(pristine, 300)
    modes = [['move'], ['copy'], ['copy', '--remove-from-train'], ['hardlink'], ['hardlink', '--remove-from-train']]
    rng, killed, moments = random.Random(1), 0, []
    undisturbed, seconds = {}, {}
    for mode in modes:
        place = folder / 'undisturbed'
        shutil.copytree(pristine.parent, place)
        seconds[*mode], _ = run('--src-root', place / 'set', '--val-size', 120, '--mode', *mode, '--yes')
        undisturbed[*mode] = snapshot(place / 'set', place / 'set_val')
        shutil.rmtree(place)
    original = snapshot(pristine)
    while killed < kills:
        mode = modes[killed % len(modes)]
        place = folder / f'kill{killed}' / 'one'
        shutil.copytree(pristine.parent, place)
        root, val = place / 'set', place / 'set_val'
        call = ['--src-root', root, '--val-size', 120, '--mode', *mode, '--yes']
        process = subprocess.Popen([sys.executable, SCRIPT, *map(str, call)], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        # From the moment the journal appears on, so that kills hit the work and not the start of Python.
        while not (root / '.lada-split').exists() and process.poll() is None:
            time.sleep(0.0002)
        time.sleep(rng.uniform(0, 0.15 * seconds[*mode]))
        process.send_signal(signal.SIGKILL)
        if process.wait() == 0:
            shutil.rmtree(place.parent)
            continue
        state = snapshot(root, val)
        moments.append(len([name for name in state if name.startswith('set_val')]))
        other = place.with_name('two')
        shutil.copytree(place, other)
        run(*call)
        assert snapshot(root, val) == undisturbed[*mode], f'kill {killed}: the second call ended elsewhere'
        subprocess.run([sys.executable, SCRIPT, '--src-root', other / 'set', '--undo', '--yes'],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        assert snapshot(other / 'set', other / 'set_val') == original, f'kill {killed}: undo ended elsewhere'
        shutil.rmtree(place.parent)
        killed += 1
    print(f'{killed} kills, with {min(moments)} to {max(moments)} entries in the validation root at that moment: every '
          'second call ended as if undisturbed, every undo in the original state')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--clips', type=int, default=100_000, help='0: do not measure')
    parser.add_argument('--kills', type=int, default=0)
    parser.add_argument('--folder', type=Path, help='where to work; a temporary folder by default')
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        if arguments.clips:
            measure(Path(folder) / 'speed', arguments.clips)
        if arguments.kills:
            survive(Path(folder) / 'kills', arguments.kills)


if __name__ == '__main__':
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    main()
