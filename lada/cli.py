"""What every script shares: one clear line for a user's error, and exit statuses.

0 done, 1 an error of the user, 2 wrong arguments, 3 a fault (a lost process, a bug), 128 and a
signal's number stopped by it.
"""

import argparse
import hashlib
import logging
import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from lada.errors import JobError, LadaError, with_causes
from lada.signals import repeat
from lada.text import one_line

FAULT = JobError.status
_SPINS = '4000'
"""How often OpenMP's threads look for each other before they sleep. GNU's 300,000 cost a step three
times its time where another process wants a core too, and nothing is gained with idle cores.
"""
_ASK_AGAIN = 0.5
"""Seconds after which a stop is asked for again where a library has swallowed it."""


def make_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser whose help shows defaults and that knows ``--debug``."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument('--debug', action='store_true', help='show the traceback of an error')
    return parser


def add_launcher(parser: argparse.ArgumentParser) -> None:
    """Add what a command needs that several processes can share."""
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='what started the processes of a distributed job',
    )
    # torch.distributed.launch of old passed the rank as an argument; today it is in the
    # environment.
    parser.add_argument(
        '--local-rank', '--local_rank', type=int, default=0, help='ignored; the environment says it'
    )


def usable_cores() -> int:
    """Return how many cores this process may use: of a scheduler's allocation, or of a container's
    set, not of the machine.
    """
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class ConfigOption(argparse.Action):
    """``KEY=VALUE`` pairs as MMEngine's ``DictAction`` reads them, which is imported when one is
    given.
    """

    def __call__(self, parser, namespace, values, option_string=None):
        from mmengine.config import DictAction

        read = DictAction(self.option_strings, self.dest, nargs=self.nargs)
        read(parser, namespace, values, option_string or '')


def run_script(
    main: Callable[[argparse.Namespace], int | None],
    parser: argparse.ArgumentParser,
    arguments: Sequence[str] | None = None,
) -> None:
    """Parse the command line, call ``main`` and exit with a status as above.

    :class:`LadaError` and :class:`OSError` become one line unless ``--debug`` is given. Ctrl-C and
    SIGTERM end it with 130 and 143, whatever a library made of them.

    Args:
        main: returns ``None`` or an exit status.
        parser: what :func:`make_parser` made.
        arguments: the command line; that of the process unless given.
    """
    if 'OMP_WAIT_POLICY' not in os.environ:
        # Read when PyTorch is imported.
        os.environ.setdefault('GOMP_SPINCOUNT', _SPINS)
    args = parser.parse_args(arguments)
    signalled: int | None = None

    def stop(number: int, frame: object) -> None:
        nonlocal signalled
        signalled = number
        repeat(ask_again, _ASK_AGAIN)
        raise KeyboardInterrupt

    def ask_again(number: int, frame: object) -> None:
        # PyAV takes an exception that meets the end of a file for that end.
        if not _stopping():
            raise KeyboardInterrupt

    for number, handler in (
        (signal.SIGTERM, signal.SIG_DFL),
        (signal.SIGINT, signal.default_int_handler),
    ):
        if signal.getsignal(number) == handler:
            signal.signal(number, stop)
    reason = ''
    try:
        try:
            status = main(args) or 0
        finally:
            repeat(ask_again, 0)
    except KeyboardInterrupt as interrupt:
        status = 128 + (signalled or signal.SIGINT)
        reason = str(interrupt)
    except Exception as error:
        if not signalled:
            if args.debug or _first_to_say(f'{type(error).__name__}: {error}'):
                if args.debug or not isinstance(error, (LadaError, OSError)):
                    traceback.print_exc()
                else:
                    print(f'error: {one_line(error)}', file=sys.stderr)
            sys.exit(exit_status(error))
        # A library made an error of its own of it: MMEngine while it formats a config, an
        # extension module while it is imported.
        status = 128 + signalled
    else:
        sys.exit(status)
    print(f'stopped: {reason}' if reason else 'stopped', file=sys.stderr)
    _leave(status)


def exit_status(error: Exception) -> int:
    """Return the status with which a command ends that failed with ``error``."""
    if isinstance(error, LadaError):
        return error.status
    return 1 if isinstance(error, OSError) else FAULT


def _first_to_say(text: str) -> bool:
    """Tell whether no other process that the same torchrun has started on this machine has said
    this already. Each of them has a folder for errors, in one of their own.
    """
    folder = os.environ.get('TORCHELASTIC_ERROR_FILE')
    if not folder:
        return True
    digest = hashlib.sha256(text.encode('utf-8', 'surrogateescape')).hexdigest()[:16]
    try:
        (Path(folder).parent.parent / f'said-{digest}').touch(exist_ok=False)
    except FileExistsError:
        return False
    except OSError:
        pass
    return True


def _stopping() -> bool:
    """Tell whether an interrupt is on its way: something is cleaned up because of it."""
    return any(isinstance(each, KeyboardInterrupt) for each in with_causes(sys.exc_info()[1]))


def _leave(status: int) -> NoReturn:
    """End this process and its workers without the interpreter's usual end, which crashes when the
    signal met an extension module in the middle of its import.
    """
    for worker in multiprocessing.active_children():
        worker.terminate()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
