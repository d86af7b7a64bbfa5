"""Record the journey from footage to a restored video: docs/pictures/journey.cast, which asciinema
plays, and journey.svg, which the README shows.

    python dev/record_journey.py

Every command is really run, on a terminal of its own, in a folder that is removed afterwards. Waits
are shortened. The picture is drawn by svg-term-cli (npx; Node comes with pyright).
"""

import argparse
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from lada.mosaic import MosaicLook, draw_mosaic
from lada.video import read_frames, write_video

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / 'docs' / 'pictures'
CONFIG = 'configs/basicvsrpp/mosaic_restoration_demo_cpu.py'
COLUMNS, LINES = 104, 30
LONGEST_WAIT = 0.6
"""Seconds without anything new that a recording keeps."""
SHORTEST_WAIT = 0.1
"""Seconds between two pictures; what comes sooner is joined."""
STEPS = (
    'lada clips --input footage --output clips --max-frames 30 --clips-per-shot 2'
    ' --size-range 0.4 0.65',
    'lada split --src-root clips --val-root clips_val --val-ratio 0.4 --mode move --yes',
    'export LADA_DATA_ROOT=clips LADA_VAL_ROOT=clips_val',
    f'lada train {CONFIG} --load-from assets/weights/starter.safetensors --work-dir run',
    f'lada train {CONFIG} --load-from assets/weights/starter.safetensors --work-dir run',
    f'lada eval {CONFIG} run --output report',
    'lada restore --input mosaicked.mp4 --output restored.mp4 --checkpoint run',
)
INTERRUPTED = 3
"""Number of the step that Ctrl-C ends."""


class Recording:
    """What a terminal shows, with times, in asciinema's format (version 2).

    Args:
        folder: where the commands run; its name is kept out.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.events: list[tuple[float, str]] = []
        self._now, self._last = 0.5, time.monotonic()

    def add(self, text: str, after: float | None = None) -> None:
        """Add what has just appeared, or what appears some seconds ``after`` what was there."""
        clock = time.monotonic()
        self._now += min(clock - self._last, LONGEST_WAIT) if after is None else after
        self._last = clock
        self.events.append((self._now, text))

    def text(self) -> str:
        header = dict(version=2, width=COLUMNS, height=LINES, title='Lada: footage to video')
        shown: list[tuple[float, str]] = []
        for at, text in self.events:
            if shown and at - shown[-1][0] < SHORTEST_WAIT:
                shown[-1] = shown[-1][0], shown[-1][1] + text
            else:
                shown.append((at, text))
        lines = [header, *([round(at, 3), 'o', self._elsewhere(text)] for at, text in shown)]
        return ''.join(json.dumps(line) + '\n' for line in lines)

    def _elsewhere(self, text: str) -> str:
        for folder in (self.folder, ROOT):
            text = text.replace(str(folder), '~/lada')
        return text


def record(folder: Path, iterations: int) -> tuple[Recording, list[int]]:
    """Run the steps in a folder; returns the recording and their exit statuses.

    Args:
        folder: an empty one.
        iterations: of the training, which is interrupted after half of them.
    """
    _prepare(folder, iterations)
    environment = dict(os.environ, TERM='xterm-256color', PYTHONUNBUFFERED='1')
    environment['PATH'] = f'{Path(sys.executable).parent}:{environment["PATH"]}'
    environment.pop('NO_COLOR', None)
    recording, statuses = Recording(folder), []
    for number, step in enumerate(STEPS):
        recording.add('\x1b[1;32m$\x1b[0m ', after=0.8)
        for word in re.findall(r'\S+ *', step):
            recording.add(word, after=0.1)
        recording.add('\r\n', after=0.4)
        if step.startswith('export '):
            environment.update(pair.split('=') for pair in step.split()[1:])
            continue
        checkpoint = folder / f'run/iter_{iterations // 2}.pth'
        until = checkpoint.exists if number == INTERRUPTED else None
        statuses.append(_run(step.split(), folder, environment, recording, until))
    recording.add('\x1b[1;32m$\x1b[0m ', after=0.8)
    recording.add('', after=4)
    return recording, statuses


def _prepare(folder: Path, iterations: int) -> None:
    for name in ('assets', 'configs'):
        (folder / name).symlink_to(ROOT / name)
    (folder / 'footage').symlink_to(ROOT / 'assets' / 'sample_videos')
    # The demo's recipe, in fewer iterations.
    (folder / 'configs').unlink()
    shutil.copytree(ROOT / 'configs', folder / 'configs')
    with open(folder / CONFIG, 'a') as config:
        config.write(
            f'\ntrain_cfg.update(max_iters={iterations}, val_interval={iterations})\n'
            f"default_hooks['checkpoint']['interval'] = {iterations // 2}\n"
            f"default_hooks['logger']['interval'] = {max(1, iterations // 8)}\n"
        )
    frames = read_frames(ROOT / 'assets/sample_videos/bigbuckbunny.mp4', 0, 12)
    masks = np.zeros(frames.shape[:3], np.uint8)
    masks[:, 90:270, 200:440] = 255
    drawn, _ = draw_mosaic(frames, masks, MosaicLook('squa_avg', 10))
    write_video(folder / 'mosaicked.mp4', drawn, 24)


def _run(command, folder: Path, environment: dict, recording: Recording, until) -> int:
    """Run a command on a terminal, with Ctrl-C once ``until`` says so."""
    here, there = pty.openpty()
    fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack('4H', LINES, COLUMNS, 0, 0))
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        preexec_fn=lambda: os.login_tty(there),
    )
    os.close(there)
    told = False
    while True:
        if until is not None and not told and until():
            os.write(here, b'\x03')
            told = True
        if not select.select([here], [], [], 0.1)[0]:
            continue
        try:
            data = os.read(here, 65536)
        except OSError:  # the other end is closed
            break
        if not data:
            break
        recording.add(data.decode(errors='replace'))
    os.close(here)
    return process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--iterations', type=int, default=40)
    parser.add_argument('--no-picture', action='store_true', help='the recording alone')
    args = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with TemporaryDirectory() as folder:
        recording, statuses = record(Path(folder), args.iterations)
    if any(statuses):
        said = ''.join(text for _, text in recording.events)
        sys.exit(f'{said}\nerror: the steps ended with {statuses}; nothing is written')
    cast = PICTURES / 'journey.cast'
    cast.write_text(recording.text())
    if not args.no_picture:
        picture = PICTURES / 'journey.svg'
        tool = ['npx', '--yes', 'svg-term-cli', '--in', cast, '--out', picture, '--window']
        subprocess.run(list(map(str, tool)), check=True)


if __name__ == '__main__':
    main()
