"""What to do after a command, as a line that can be typed: called as this process was."""

import os
import shlex
import shutil
import sys
from pathlib import Path

from lada.commands import find_command


def program() -> str:
    """Return how ``lada`` was started, for a shell."""
    started = Path(sys.argv[0])
    if started.name == '__main__.py':
        return f'{_typed(sys.executable)} -m lada.commands'
    return _typed(started)


def say_next(name: str, *arguments: str | os.PathLike, **variables: str | os.PathLike) -> None:
    """Print a command for the step that comes next, on stderr: stdout is for results.

    Nothing is printed where ``LADA_NEXT=no`` is set, as by scripts that take the next step.

    Args:
        name: of the command.
        arguments: of it.
        variables: environment variables that it needs.
    """
    command = find_command(name)
    if command is None or os.environ.get('LADA_NEXT') == 'no':
        return
    call = f'{program()} {command.name}'
    started = Path(sys.argv[0])
    if started.suffix == '.py' and started.name != '__main__.py':
        script = Path(os.path.abspath(started)).parents[1] / command.script
        call = f'{_typed(sys.executable)} {_typed(script)}'
    words = [f'{key}={shlex.quote(os.fspath(value))}' for key, value in variables.items()]
    words += [call, *(shlex.quote(os.fspath(word)) for word in arguments)]
    print('next:', ' '.join(words), file=sys.stderr)


def near(path: str | Path) -> Path:
    """Return a path below the current folder without that folder's, any other as a whole one."""
    path = Path(os.path.abspath(path))
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _typed(path: str | Path) -> str:
    """Return a program's or script's path, or its name where a shell finds it by that."""
    path = Path(os.path.abspath(path))
    return (
        path.name if Path(shutil.which(path.name) or '') == path else shlex.quote(str(near(path)))
    )
