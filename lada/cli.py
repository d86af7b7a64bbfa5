"""What every script shares: one clear line for a user's error, exit codes 0, 1 and 2."""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence

from lada.errors import LadaError
from lada.text import one_line


def make_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser whose help shows defaults and that knows ``--debug``."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument('--debug', action='store_true', help='show the traceback of an error')
    return parser


class ConfigOption(argparse.Action):
    """``KEY=VALUE`` pairs as MMEngine's ``DictAction`` reads them, which is imported when one is
    given.
    """

    def __call__(self, parser, namespace, values, option_string=None):
        from mmengine.config import DictAction

        read = DictAction(self.option_strings, self.dest, nargs=self.nargs)
        read(parser, namespace, values, option_string or '')


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a command as Ctrl-C does: what it was writing is cleaned up."""


def run_script(
    main: Callable[[argparse.Namespace], int | None],
    parser: argparse.ArgumentParser,
    arguments: Sequence[str] | None = None,
) -> None:
    """Parse the command line, call ``main`` and exit: 0 done, 1 failed with one line on stderr, 2
    wrong arguments.

    :class:`LadaError` and :class:`OSError` become one line unless ``--debug`` is given. Ctrl-C and
    SIGTERM end it with 130 and 143.

    Args:
        main: returns ``None`` or an exit status.
        parser: what :func:`make_parser` made.
        arguments: the command line; that of the process unless given.
    """
    args = parser.parse_args(arguments)
    terminated = False

    def terminate(number: int, frame: object) -> None:
        nonlocal terminated
        terminated = True
        raise Terminated

    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, terminate)
    try:
        status = main(args)
    except KeyboardInterrupt as stop:
        print(f'stopped: {stop}' if stop.args else 'stopped', file=sys.stderr)
        status = 143 if isinstance(stop, Terminated) else 130
    except Exception as error:
        if terminated:
            # A library made an error of its own of it: MMEngine while it formats a config, an
            # extension module while it is imported, which crashes the interpreter's usual end.
            print('stopped', file=sys.stderr, flush=True)
            sys.stdout.flush()
            os._exit(143)
        if args.debug or not isinstance(error, (LadaError, OSError)):
            raise
        print(f'error: {one_line(error)}', file=sys.stderr)
        status = 1
    sys.exit(status or 0)
