"""``python -m lada.commands NAME ...`` runs a command where there is no clone with its scripts."""

import sys
from importlib import import_module
from pkgutil import iter_modules

import lada.commands
from lada.cli import run_script


def main(arguments: list[str]) -> None:
    """Run the command that the first of ``arguments`` names with the rest of them."""
    names = sorted(m.name for m in iter_modules(lada.commands.__path__) if m.name != '__main__')
    if not arguments or arguments[0] not in names:
        print(f'usage: python -m lada.commands {{{",".join(names)}}} ...', file=sys.stderr)
        sys.exit(2)
    command = import_module(f'lada.commands.{arguments[0]}')
    parser = command.build_parser()
    parser.prog = f'python -m lada.commands {arguments[0]}'
    run_script(command.main, parser, arguments[1:])


if __name__ == '__main__':
    main(sys.argv[1:])
