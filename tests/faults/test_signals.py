"""A signal to a whole process group, as ``timeout``, systemd, ``docker stop``, schedulers and
Ctrl-C send it, ends a run between two iterations with everything saved.
"""

import os
import random
import signal
import time
from pathlib import Path

import pytest
from harness import final_state, newest, same, torchrun, write_config

pytestmark = pytest.mark.slow

ITERS = 40


@pytest.fixture(scope='module')
def undisturbed(tmp_path_factory, clips, server):
    """Return the end of a run with workers that nobody disturbed, by number of processes."""
    folder, done = tmp_path_factory.mktemp('undisturbed'), {}

    def end(processes=1):
        if processes not in done:
            config = write_config(folder / f'run{processes}', clips, workers=4, iters=ITERS)
            runs = (
                server.start_group(processes, config) if processes > 1 else [server.start(config)]
            )
            assert [run.wait() for run in runs] == [0] * processes, runs[0].output
            done[processes] = final_state(folder / f'run{processes}')
        return done[processes]

    return end


def until_it_trains(output, alive, seconds=120):
    end = time.monotonic() + seconds
    while 'Iter(train)' not in output():
        assert time.monotonic() < end and alive(), output()
        time.sleep(0.02)


def until_ranks_have_ended(launcher, seconds=60):
    """The launcher itself takes half a minute more to end."""
    children = Path(f'/proc/{launcher.pid}/task/{launcher.pid}/children')
    end = time.monotonic() + seconds
    while launcher.poll() is None and children.read_text().strip():
        assert time.monotonic() < end, 'the ranks go on'
        time.sleep(0.1)
    os.killpg(launcher.pid, signal.SIGKILL)
    launcher.wait()


def assert_same_end(state, work_dir):
    end = final_state(work_dir)
    for name in ('weights', 'optimizer', 'schedulers', 'history'):
        assert same(state[name], end[name]), name


def test_ten_moments_with_workers(tmp_path, clips, server, undisturbed):
    config, work_dir = (
        write_config(tmp_path / 'run', clips, workers=4, iters=ITERS),
        tmp_path / 'run',
    )
    moments = random.Random(7)
    stops = 0
    for attempt in range(30):
        number = [signal.SIGTERM, signal.SIGUSR1][attempt % 2]
        run = server.start(config)
        until_it_trains(lambda run=run: run.output, lambda: True)
        time.sleep(moments.uniform(0, 0.4))
        run.signal(number)
        assert run.wait() == 0, run.output
        assert 'was killed' not in run.output
        if 'Stopping after' not in run.output:
            break
        assert f'Stopping after iteration {newest(work_dir)} because of {number.name}' in run.output
        stops += 1
        if stops == 10 or newest(work_dir) == ITERS:
            # What was due at the iteration after which the run was stopped is done now.
            assert server.run(config).status == 0
            break
    assert newest(work_dir) == ITERS and stops >= 3
    assert_same_end(undisturbed(), work_dir)


def test_torchrun(tmp_path, clips, undisturbed):
    config, work_dir = (
        write_config(tmp_path / 'run', clips, workers=4, iters=ITERS),
        tmp_path / 'run',
    )
    for attempt in range(3):
        log = tmp_path / f'output{attempt}.log'
        with open(log, 'w') as file:
            process = torchrun(config, '--standalone', '--nproc-per-node=2', stdout=file)
        if attempt == 2:
            assert process.wait(timeout=300) == 0, log.read_text()
            break
        until_it_trains(log.read_text, lambda process=process: process.poll() is None)
        os.killpg(process.pid, signal.SIGTERM)
        until_ranks_have_ended(process)
        stopped = f'Stopping after iteration {newest(work_dir)} because of'
        assert stopped in log.read_text(), log.read_text()
        assert 'was killed' not in log.read_text()
    assert newest(work_dir) == ITERS
    assert_same_end(undisturbed(2), work_dir)


def test_before_the_first_iteration(tmp_path, clips, server):
    """Nothing is half-written, and the same command starts."""
    config = write_config(tmp_path / 'run', clips, workers=2)
    for delay in (0.0, 0.3, 0.8):
        run = server.start(config)
        time.sleep(delay)
        run.signal(signal.SIGTERM)
        assert run.wait() in (0, 143, -signal.SIGTERM), run.output
        assert 'Traceback' not in run.output
        left = [path.name for path in tmp_path.rglob('*.tmp')]
        assert not left
    assert server.run(config).status == 0
    assert newest(tmp_path / 'run') == 8
