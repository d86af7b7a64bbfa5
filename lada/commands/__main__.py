"""``lada NAME ...``, also ``python -m lada.commands NAME ...``, runs a command."""

import difflib
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from itertools import groupby

import lada
from lada.cli import run_script
from lada.commands import COMMANDS, find_command
from lada.commands.completion import ASKED, complete
from lada.commands.next_step import program


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that the first of ``arguments`` names with the rest of them.

    Args:
        arguments: the command line; that of the process unless given.
    """
    if ASKED in os.environ:
        complete()
    name, *rest = (sys.argv[1:] if arguments is None else arguments) or ['']
    if name in ('-h', '--help'):
        print(overview())
        sys.exit(0)
    if name == '--version':
        print(f'lada {lada.__version__}')
        sys.exit(0)
    command = find_command(name)
    if command is None:
        print(_unknown(name) if name else overview(), file=sys.stderr)
        sys.exit(2)
    module = import_module(f'lada.commands.{command.module}')
    parser = module.build_parser()
    parser.prog = f'{program()} {command.name}'
    run_script(module.main, parser, rest)


def overview() -> str:
    """Return what can be asked for, as text for the terminal."""
    lines = [
        f'usage: {program()} COMMAND [options]',
        '',
        'Train networks that restore mosaic (pixelated) regions in video.',
    ]
    width = max(len(command.name) for command in COMMANDS)
    for group, commands in groupby(COMMANDS, lambda command: command.group):
        lines += ['', f'{group}:']
        lines += [f'  {each.name:{width}}  {each.summary}' for each in commands]
    return '\n'.join([*lines, '', f'{program()} COMMAND --help: the options of a command'])


def _unknown(name: str) -> str:
    known = {known: each.name for each in COMMANDS for known in (each.module, each.name)}
    close = difflib.get_close_matches(name, known, n=1)
    remedy = f'did you mean {known[close[0]]}?' if close else f'{program()} --help lists them'
    return f'error: no command is called {name!r}; {remedy}'


if __name__ == '__main__':
    main()
