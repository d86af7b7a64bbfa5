"""What is done without that Windows lacks: the names are taken away, and the work goes on."""

import os
import subprocess
import sys
import textwrap

import pytest

from tests.conftest import tiny_config

WITHOUT = textwrap.dedent("""
    import builtins, multiprocessing.context, os, signal, sys, types

    multiprocessing.set_start_method('spawn')
    for name in ('ForkContext', 'ForkProcess', 'ForkServerContext', 'ForkServerProcess'):
        delattr(multiprocessing.context, name)

    class Without(types.ModuleType):
        def __init__(self, real, missing, **others):
            super().__init__(real.__name__)
            self.__dict__.update(others, real=real, missing=missing.split())

        def __getattr__(self, name):
            if name in self.missing:
                raise AttributeError(f'module {self.__name__!r} has no attribute {name!r}')
            return getattr(self.real, name)

    def open_files_only(path, flags, mode=0o777, **options):
        if os.path.isdir(path):
            raise PermissionError(13, 'Permission denied', str(path))  # as Windows answers
        return os.open(path, flags, mode, **options)

    def sync_what_is_written(descriptor):
        os.write(descriptor, b'')  # as Windows demands
        os.fsync(descriptor)

    LESS = dict(
        os=Without(
            os,
            'fork getuid geteuid killpg sched_getaffinity statvfs sysconf mkfifo setsid'
            ' posix_fadvise O_DIRECTORY O_CLOEXEC',
            open=open_files_only,
            fsync=sync_what_is_written,
        ),
        signal=Without(
            signal,
            'SIGUSR1 SIGUSR2 SIGALRM SIGKILL SIGHUP setitimer ITIMER_REAL pthread_sigmask'
            ' sigwaitinfo sigtimedwait SIG_BLOCK SIG_SETMASK',
        ),
    )
    real_import = builtins.__import__

    def import_(name, globals=None, *others, **more):
        # Python itself and libraries use what this system has.
        if (globals or {}).get('__name__', '').split('.')[0] == 'lada':
            if name in ('fcntl', 'resource', 'termios', 'pwd', 'grp'):
                raise ModuleNotFoundError(f'No module named {name!r}', name=name)
            if name in LESS:
                return LESS[name]
        return real_import(name, globals, *others, **more)

    builtins.__import__ = import_
""")
EVERYTHING = WITHOUT + textwrap.dedent("""
    import importlib, pkgutil
    import lada

    for module in pkgutil.walk_packages(lada.__path__, 'lada.'):
        if not module.name.endswith('__main__'):
            importlib.import_module(module.name)

    from pathlib import Path
    from lada.data.worker import worker_context
    from lada.platform_support import disk_of, mount_of, peak_memory

    assert worker_context() is None
    assert disk_of(Path('.')).free > 0 and mount_of(Path('.')) is None and peak_memory() == 0
""")
COMMAND = WITHOUT + textwrap.dedent("""
    from lada.commands.__main__ import main
    main(sys.argv[1:])
""")


def run(code, *arguments, cwd):
    return subprocess.run(
        [sys.executable, '-c', code, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
    )


@pytest.mark.slow
def test_every_module_is_imported(tmp_path):
    done = run(EVERYTHING, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_dataset_is_made_checked_split_and_trained_on(tmp_path, bikes, bunny):
    def lada(*arguments):
        done = run(COMMAND, *arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    lada(
        'clips',
        '--input',
        bikes,
        bunny,
        '--output',
        'train',
        '--max-frames',
        '30',
        '--workers',
        '1',
    )
    lada('check', 'train', '--workers', '1')
    lada(
        'split',
        '--src-root',
        'train',
        '--val-root',
        'val',
        '--val-ratio',
        '0.4',
        '--mode',
        'move',
        '--yes',
    )
    roots = tuple(tmp_path / side / 'crop_unscaled_meta' for side in ('train', 'val'))
    config = tiny_config(tmp_path / 'a.py', tmp_path / 'run', roots)
    assert 'starts afresh' in lada('train', config, '--dry-run')
    lada('train', config, '--cfg-options', 'train_cfg.max_iters=2', 'train_cfg.val_interval=2')
    assert (tmp_path / 'run' / 'iter_2.pth').is_file()
