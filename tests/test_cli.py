"""How commands end."""

import os
import signal
import subprocess
import sys
import time

import pytest

from lada.cli import make_parser, run_script
from lada.errors import LadaError

JOB = """
import sys, time
from lada.cli import make_parser, run_script

def main(args):
    print('started', flush=True)
    try:
        time.sleep(60)
    except {caught}:
        raise {raised}

run_script(main, make_parser(None), [])
"""


@pytest.mark.parametrize(
    ('number', 'caught', 'raised', 'status'),
    [
        (signal.SIGTERM, 'OSError', 'SystemError', 143),
        (signal.SIGINT, 'OSError', 'SystemError', 130),
        # As MMEngine does while it formats a config.
        (signal.SIGTERM, 'BaseException', 'SyntaxError("Failed to format")', 143),
    ],
)
def test_a_signal_ends_a_command(number, caught, raised, status):
    job = JOB.format(caught=caught, raised=raised)
    process = subprocess.Popen(
        [sys.executable, '-c', job], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == 'started\n'
    time.sleep(0.1)
    os.kill(process.pid, number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == status
    assert said == 'stopped\n'


SWALLOWED = """
import sys, time
from lada.cli import make_parser, run_script

def main(args):
    print('started', flush=True)
    try:
        try:
            time.sleep(60)
        except BaseException:
            pass
        time.sleep(60)
    finally:
        time.sleep(2)  # longer than until a stop is asked for again
        print('cleaned up', flush=True)

run_script(main, make_parser(None), [])
"""


@pytest.mark.parametrize(('number', 'status'), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_that_a_library_swallows_is_not_lost(number, status):
    """As PyAV does at the end of a file. What is cleaned up is not disturbed."""
    process = subprocess.Popen(
        [sys.executable, '-c', SWALLOWED],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == 'started\n'
    time.sleep(0.1)
    os.kill(process.pid, number)
    output, said = process.communicate(timeout=30)
    assert (process.returncode, output, said) == (status, 'cleaned up\n', 'stopped\n')


END_THAT_CRASHES = """
import atexit, multiprocessing, os, signal, sys, time
from lada.cli import make_parser, run_script

def work():
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    time.sleep(60)

def main(args):
    multiprocessing.get_context('fork').Process(target=work).start()
    print('started', flush=True)
    try:
        time.sleep(60)
    finally:
        print('cleaned up')

atexit.register(os.abort)
run_script(main, make_parser(None), [])
"""


@pytest.mark.parametrize(('number', 'status'), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_does_not_meet_the_end_of_the_interpreter(number, status):
    """Which crashes when an extension module was being imported. Its workers end with it: they
    would hold the pipes open.
    """
    process = subprocess.Popen(
        [sys.executable, '-c', END_THAT_CRASHES],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == 'started\n'
    time.sleep(0.2)
    os.kill(process.pid, number)
    out, said = process.communicate(timeout=30)
    assert (process.returncode, out, said) == (status, 'cleaned up\n', 'stopped\n')


def test_an_error_of_the_user_is_one_line():
    job = JOB.format(caught='OSError', raised='SystemError')
    for error, status, said in (
        ('OSError("no room")', 1, 'error: no room\n'),
        ('KeyError("a")', 3, 'Traceback'),
    ):
        done = subprocess.run(
            [
                sys.executable,
                '-c',
                job.replace('time.sleep(60)', f'raise {error}').replace(
                    'raise SystemError', 'raise'
                ),
            ],
            capture_output=True,
            text=True,
        )
        assert done.returncode == status
        assert done.stderr.startswith(said)


def test_cores_are_those_that_may_be_used():
    asked = 'import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); '
    asked += 'from lada.cli import usable_cores; print(usable_cores())'
    done = subprocess.run([sys.executable, '-c', asked], capture_output=True, text=True)
    assert done.stdout == '1\n'


def test_processes_of_one_torchrun_say_one_thing_once(tmp_path, monkeypatch, capsys):
    def main(args):
        raise LadaError(said)

    def end():
        with pytest.raises(SystemExit) as ended:
            run_script(main, make_parser(None), [])
        assert ended.value.code == 1
        return capsys.readouterr().err

    said = 'no config at x.py'
    assert end() == end() == 'error: no config at x.py\n'
    for rank in range(3):
        monkeypatch.setenv('TORCHELASTIC_ERROR_FILE', str(tmp_path / f'{rank}' / 'error.json'))
        assert end() == ('' if rank else 'error: no config at x.py\n')
    said = 'another'
    assert end() == 'error: another\n'
    monkeypatch.setenv('TORCHELASTIC_ERROR_FILE', str(tmp_path / 'gone' / 'x' / 'error.json'))
    assert end() == end() == 'error: another\n'


@pytest.mark.parametrize(
    ('given', 'expected'),
    [({}, '4000'), ({'GOMP_SPINCOUNT': '7'}, '7'), ({'OMP_WAIT_POLICY': 'ACTIVE'}, None)],
)
def test_threads_wait_for_each_other_briefly(monkeypatch, given, expected):
    """Unless somebody has decided how."""
    # So that the test's end takes back what run_script sets.
    for name in ('GOMP_SPINCOUNT', 'OMP_WAIT_POLICY'):
        monkeypatch.setenv(name, '')
        monkeypatch.delenv(name)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        run_script(lambda args: None, make_parser(''), [])
    assert os.environ.get('GOMP_SPINCOUNT') == expected
