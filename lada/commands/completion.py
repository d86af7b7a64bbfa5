"""Print what makes a shell complete the commands of lada, their options and files.

One line in the shell's start-up file: eval "$(lada completion bash)" in ~/.bashrc, eval "$(lada
completion zsh)" in ~/.zshrc behind compinit, or lada completion fish | source in
~/.config/fish/config.fish.
"""

import argparse
from importlib import import_module

from lada.cli import make_parser
from lada.commands import COMMANDS

ASKED = '_ARGCOMPLETE'
"""Environment variable with which a shell asks for what may follow."""


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument('shell', choices=['bash', 'zsh', 'fish'], help='which shell it is for')
    return parser


def main(args: argparse.Namespace) -> None:
    import argcomplete

    print(argcomplete.shellcode(['lada'], shell=args.shell))


def complete() -> None:
    """Tell the shell that asks what may follow, and end this process."""
    import argcomplete

    parser = argparse.ArgumentParser('lada')
    parser.add_argument('--version', action='store_true', help='print the version')
    commands = parser.add_subparsers()
    for command in COMMANDS:
        own = import_module(f'lada.commands.{command.module}').build_parser()
        commands.add_parser(command.name, parents=[own], add_help=False, help=command.summary)
    argcomplete.autocomplete(parser)
