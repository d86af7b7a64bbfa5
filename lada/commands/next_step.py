"""How this process was called, for what a user is told to type."""

import os
import shlex
import shutil
import sys
from pathlib import Path


def program() -> str:
    """Return how ``lada`` was started, for a shell."""
    started = Path(sys.argv[0])
    if started.name == '__main__.py':
        return f'{_typed(sys.executable)} -m lada.commands'
    return _typed(started)


def _typed(path: str | Path) -> str:
    """Return a program's or script's path as short as the shell understands it here."""
    path = Path(os.path.abspath(path))
    if Path(shutil.which(path.name) or '') == path:
        return path.name
    return shlex.quote(os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path))
