"""What a training shows on a terminal, and that nothing of it is anywhere else."""

import errno
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path
from types import SimpleNamespace

import pytest
from mmengine.logging import HistoryBuffer
from rich.console import Console

from lada.engine.hooks.console import losses, validation_table

SHOW_CURSOR, HIDE_CURSOR = '\x1b[?25h', '\x1b[?25l'


class Terminal:
    """A process on a pseudo-terminal of 100 columns."""

    def __init__(self, command, environment):
        leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack('HHHH', 40, 100, 0, 0))
        self.process = subprocess.Popen(
            command,
            stdin=follower,
            stdout=follower,
            stderr=follower,
            env=environment,
            start_new_session=True,
        )
        os.close(follower)
        self._leader, self.raw = leader, ''

    def read(self, until: str | None = None) -> str:
        """Read to the end, or until some text was shown; returns all of it, without colours."""
        while until is None or until not in self.raw:
            try:
                data = os.read(self._leader, 65536)
            except OSError as error:
                assert error.errno == errno.EIO
                break
            if not data:
                break
            self.raw += data.decode(errors='replace')
        return re.sub(r'\x1b\[[0-9;?]*[A-Za-z]', '', self.raw).replace('\r', '\n')

    def end(self) -> int:
        self.read()
        os.close(self._leader)
        return self.process.wait()


@pytest.fixture
def terminal(repo_root):
    """Return a function that starts a training on a terminal."""
    started = []

    def start(*arguments, **environment):
        command = [sys.executable, '-m', 'lada.commands', 'train', *map(str, arguments)]
        environment = {
            **os.environ,
            'PYTHONPATH': str(repo_root),
            'OMP_NUM_THREADS': '1',
            'TERM': 'xterm',
            **environment,
        }
        started.append(Terminal(command, environment))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()


def log_of(work_dir: Path) -> str:
    (log,) = work_dir.glob('*/*.log')
    return log.read_text()


@pytest.mark.slow
def test_a_terminal_shows_what_is_watched(terminal, write_config, tmp_path):
    run = tmp_path / 'run'
    shown = terminal(write_config(run))
    text = shown.read()
    assert shown.end() == 0
    for line in (
        r'network +MosaicGuidedNet, [\d,]+ parameters',
        r'data +5 clips, 2 for validation',
        r'device +\S.*',
        r'training +iterations 0 to 8 of 1 clip',
        r'estimate +about .*, without validation',
        r' +2 of 8  loss [\d.]+  lr [\d.e-]+  .* left',
        r' +6 of 8  .* left  gain [+-][\d.]+ dB',
        r' +validation at 4 +input +bicubic +consistent +model ',
        r' +validation at 8 +input +bicubic +consistent +model +before ',
        r' +mosaic/psnr( +[\d.]+){5} ',
    ):
        assert re.search(rf'^{line}', text, re.M), line
    assert 'next: ' in text
    for word in ('Iter(train)', 'Config:', 'Hooks', 'LOWEST', 'mmengine - INFO', 'deprecated'):
        assert word not in text
    assert shown.raw.rfind(SHOW_CURSOR) > shown.raw.rfind(HIDE_CURSOR) > 0
    log = log_of(run)
    for word in ('Iter(train) [8/8]', 'Iter(val)', 'Config:', 'ConsoleHook', 'mosaic/gain: '):
        assert word in log


@pytest.mark.slow
def test_ctrl_c_gives_the_cursor_back(terminal, write_config, tmp_path):
    shown = terminal(
        write_config(tmp_path / 'run', 'train_cfg.update(max_iters=100_000, val_interval=50_000)')
    )
    shown.read(until=' 2 of 100,000')
    os.killpg(shown.process.pid, signal.SIGINT)
    text = shown.read()
    shown.end()
    assert 'Stopping after iteration' in text
    assert shown.raw.rfind(SHOW_CURSOR) > shown.raw.rfind(HIDE_CURSOR) > 0


@pytest.mark.slow
def test_an_error_gives_the_cursor_back(terminal, write_config, tmp_path):
    bad = "model['pixel_loss'] = dict(loss_weight=float('inf'))\n"
    bad += "default_hooks['bad_numbers'] = dict(max_consecutive=2)\n"
    shown = terminal(write_config(tmp_path / 'run', bad))
    text = shown.read()
    assert shown.end() == 1
    assert re.search('^error: 2 updates in a row ', text, re.M)
    assert shown.raw.rfind(SHOW_CURSOR) > shown.raw.rfind(HIDE_CURSOR) > 0


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['pipe', 'dumb'])
def test_nothing_changes_where_lines_are_read(terminal, write_config, run_training, tmp_path, kind):
    """A pipe, also of somebody who wants colours, and a terminal that cannot move its cursor."""
    run = tmp_path / 'run'
    config = write_config(run, 'train_cfg.update(max_iters=2, val_interval=2)')
    if kind == 'pipe':
        status, text, _ = run_training(config, FORCE_COLOR='1')
    else:
        shown = terminal(config, TERM='dumb')
        text, status = shown.read(), shown.end()
    assert status == 0
    assert 'Iter(train) [2/2]' in text and 'ConsoleHook' not in text
    assert HIDE_CURSOR not in text and 'validation at' not in text
    assert 'ConsoleHook' not in log_of(run)


def rendered(table) -> list[list[str]]:
    console = Console(width=100, color_system=None)
    with console.capture() as captured:
        console.print(table)
    return [line.split() for line in captured.get().splitlines() if line.strip()]


def test_scores_have_a_column_for_each_restoration():
    metrics = {'PSNR': 30.0, 'mosaic/gain': 1.5, 'mosaic/gain_over_bicubic': 0.5}
    metrics |= {'mosaic/psnr_input': 20.0, 'mosaic/psnr_bicubic': 21.0, 'mosaic/psnr_model': 21.5}
    head = ['validation', 'at', '1,000', 'input', 'bicubic', 'model']
    assert rendered(validation_table(1000, metrics, {}))[0] == head
    table = rendered(validation_table(1000, metrics, {'PSNR': 29.0, 'mosaic/psnr_model': 21.0}))
    assert table[0][-1] == 'before'
    assert ['PSNR', '30.0000', '29.0000'] in table
    assert ['mosaic/gain', '1.5000'] in table
    assert ['mosaic/gain_over', '0.5000'] in table
    assert ['mosaic/psnr', '20.0000', '21.0000', '21.5000', '21.0000'] in table


def test_scores_of_other_metrics_are_the_network_s():
    assert rendered(validation_table(3, {'MAE': 0.25}, {}))[0][-1] == 'model'
    assert ['MAE', '0.2500'] in rendered(validation_table(3, {'MAE': 0.25}, {}))


@pytest.mark.parametrize(
    ('names', 'expected'),
    [
        (['train/lr', 'train/loss', 'train/loss_pix'], ['loss 2']),
        (['train/loss_g', 'train/loss_d', 'val/loss'], ['loss_g 2', 'loss_d 2']),
        (['train/lr'], []),
    ],
)
def test_losses(names, expected):
    hub = SimpleNamespace(log_scalars={name: HistoryBuffer([1, 3], [1, 1]) for name in names})
    runner = SimpleNamespace(message_hub=hub, log_processor=SimpleNamespace(window_size=10))
    assert losses(runner) == expected
