"""A run that was killed any number of times, at any moment, is the run that never was."""

import random
import shutil
import signal
import time

import pytest
from harness import STAGE_2, final_state, logged, newest, resumed_at, same, wait_for, write_config

pytestmark = pytest.mark.slow

# In the order in which one run after the other reaches them; two processes share the first
# iterations' moments.
MOMENTS = [
    'start:0',
    'loading:1',
    'iteration:1',
    'forward:2',
    'backward:2',
    'before_step:2',
    'step:2',
    'write:2',
    'rename:2',
    'hint:2',
    'loading:2',
    'forward:4',
    'write:4',
    'rename:4',
    'hint:4',
    'validation:4',
    'backward:5',
    'step:6',
    'write:6',
    'rename:6',
    'expire:2',
    'before_step:7',
    'rename:8',
    'validation:8',
]


@pytest.fixture(scope='module')
def whole(tmp_path_factory, clips, server):
    """Return a function that runs a config undisturbed, once: ``(final state, log)``."""
    folder, done = tmp_path_factory.mktemp('whole'), {}

    def run(extra='', processes=1, **options):
        key = (extra, processes, *options.items())
        if key not in done:
            config = write_config(folder / f'run{len(done)}', clips, extra, **options)
            runs = (
                server.start_group(processes, config) if processes > 1 else [server.start(config)]
            )
            assert [run.wait() for run in runs] == [0] * processes, runs[0].output
            done[key] = final_state(folder / config.stem), logged(folder / config.stem)
        return done[key]

    return run


def assert_same_end(work_dir, whole, iters=8):
    state, log = whole
    end = final_state(work_dir)
    assert [key for key in state if not same(state[key], end[key])] == []
    assert logged(work_dir) == log and len(log) == iters
    files = {path.name for path in work_dir.iterdir() if path.suffix != '.py' and path.is_file()}
    checkpoints = {f'iter_{iters - 2}.pth', f'iter_{iters}.pth'}
    assert files == checkpoints | {'last_checkpoint', 'run_state.json'}
    assert (work_dir / 'last_checkpoint').read_text().endswith(f'iter_{iters}.pth')


def kill_through(server, config, work_dir, moments):
    """Start the run again and again, each time to die at a moment, then let it end."""
    for moment in moments:
        expected = newest(work_dir) if work_dir.exists() else 0
        run = server.run(config, fault=moment)
        assert run.status == -(signal.SIGXFSZ if moment.startswith('write') else signal.SIGKILL), (
            moment,
            run.output,
        )
        if not moment.startswith('start'):
            assert resumed_at(run.output) == expected
    expected = newest(work_dir)
    run = server.run(config)
    assert run.status == 0, run.output
    assert resumed_at(run.output) == expected


def test_killed_at_every_moment(tmp_path, clips, server, whole):
    config = write_config(tmp_path / 'run', clips)
    kill_through(server, config, tmp_path / 'run', MOMENTS)
    assert_same_end(tmp_path / 'run', whole())


def test_killed_with_workers(tmp_path, clips, server, whole):
    config = write_config(tmp_path / 'run', clips, workers=2)
    kill_through(
        server,
        config,
        tmp_path / 'run',
        ['loading:1', 'forward:3', 'loading:2', 'step:6', 'validation:8'],
    )
    # The number of workers makes no difference either.
    assert_same_end(tmp_path / 'run', whole())


def test_stage_2_killed_at_every_moment(tmp_path, clips, server, whole):
    config = write_config(tmp_path / 'run', clips, STAGE_2)
    kill_through(
        server,
        config,
        tmp_path / 'run',
        ['forward:1', 'hint:2', 'before_step:3', 'rename:4', 'validation:4', 'step:5', 'write:6'],
    )
    assert_same_end(tmp_path / 'run', whole(STAGE_2))


def test_killed_at_random_moments(tmp_path, clips, server, whole):
    config, chooser, killed = write_config(tmp_path / 'run', clips, iters=12), random.Random(3), 0
    for _ in range(6):
        run = server.start(config, fault='slow:1')
        time.sleep(chooser.uniform(0.2, 2.5))
        run.signal(signal.SIGKILL)
        killed += run.wait() == -signal.SIGKILL
    assert server.run(config).status == 0
    assert killed
    assert_same_end(tmp_path / 'run', whole(iters=12), iters=12)


@pytest.mark.parametrize(
    ('extra', 'moment'), [('', 'step:5'), ('', 'rank:5'), (STAGE_2, 'backward:5')]
)
def test_two_processes_killed(tmp_path, clips, server, whole, extra, moment):
    config = write_config(tmp_path / 'run', clips, extra)
    runs = server.start_group(2, config, fault=moment)
    if moment.startswith('rank'):  # the other one notices
        assert runs[1].wait() == -signal.SIGKILL
        assert runs[0].wait() == 3, runs[0].output
    else:
        assert {run.wait() for run in runs} <= {-signal.SIGKILL, 3}
    expected = newest(tmp_path / 'run')
    runs = server.start_group(2, config)
    assert [run.wait() for run in runs] == [0, 0], runs[0].output
    assert resumed_at(runs[0].output) == expected
    assert_same_end(tmp_path / 'run', whole(extra, processes=2))


ACCUMULATE = '\noptim_wrapper = dict(accumulative_counts=3)\n'


def test_killed_within_an_accumulation(tmp_path, clips, server):
    """Checkpoints are due at 2, 4 and 6 and wait for updates at 3 and 6; the last iteration
    is 8.
    """
    whole, killed = (write_config(tmp_path / name, clips, ACCUMULATE) for name in ('whole', 'run'))
    assert server.run(whole).status == 0
    for moment in ('iteration:5', 'backward:8'):
        assert server.run(killed, fault=moment).status == -signal.SIGKILL
        assert newest(tmp_path / 'run') % 3 == 0
    assert server.run(killed).status == 0
    state, end = final_state(tmp_path / 'whole'), final_state(tmp_path / 'run')
    assert [key for key in state if not same(state[key], end[key])] == []


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_stopped_by_a_signal(tmp_path, clips, server, whole, number):
    config = write_config(tmp_path / 'run', clips)
    run = server.start(config, fault='slow:3')
    wait_for(tmp_path / 'run' / 'iter_2.pth', run)
    run.signal(number)
    assert run.wait() == 0, run.output
    assert f'because of {number.name}' in run.output
    assert newest(tmp_path / 'run') < 8
    assert server.run(config).status == 0
    state, end = whole()[0], final_state(tmp_path / 'run')
    for name in ('weights', 'optimizer', 'schedulers', 'history'):
        assert same(state[name], end[name])


@pytest.fixture(scope='module')
def at_six(tmp_path_factory, clips, server):
    """A run with checkpoints of iterations 4 and 6, killed in iteration 7."""
    work_dir = tmp_path_factory.mktemp('six') / 'run'
    run = server.run(write_config(work_dir, clips), fault='forward:7')
    assert run.status == -signal.SIGKILL
    assert newest(work_dir) == 6
    return work_dir


def cut(work_dir):
    path = work_dir / 'iter_6.pth'
    path.write_bytes(path.read_bytes()[: -len(path.read_bytes()) // 3])
    return 4


def flip(work_dir):
    path = work_dir / 'iter_6.pth'
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 16
    path.write_bytes(data)
    return 4


def damage_all(work_dir):
    for path in work_dir.glob('iter_*.pth'):
        path.write_bytes(path.read_bytes()[:1000])
    return 0


def lose_hint(work_dir):
    (work_dir / 'last_checkpoint').unlink(missing_ok=True)
    return 6


def wrong_hint(work_dir):
    (work_dir / 'last_checkpoint').write_bytes(b'\xff\0nowhere')
    return 6


@pytest.mark.parametrize('damage', [cut, flip, damage_all, lose_hint, wrong_hint])
def test_damaged_files(tmp_path, clips, server, whole, at_six, damage):
    shutil.copytree(at_six, tmp_path / 'run')
    # It would lead to the undamaged original.
    (tmp_path / 'run' / 'last_checkpoint').write_text(str(tmp_path / 'run' / 'iter_6.pth'))
    goes_on_at = damage(tmp_path / 'run')
    run = server.run(write_config(tmp_path / 'run', clips))
    assert run.status == 0, run.output
    assert resumed_at(run.output) == goes_on_at
    assert ('iter_6.pth is damaged' in run.output) == (goes_on_at < 6)
    assert_same_end(tmp_path / 'run', whole())
