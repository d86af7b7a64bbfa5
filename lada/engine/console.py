"""The terminal on which a training is watched; without one MMEngine's log goes to stdout."""

import logging
import sys
from pathlib import Path

import mmengine
from mmengine.dist import is_main_process
from rich.console import Console
from rich.logging import RichHandler

_MMENGINE = Path(mmengine.__file__).parent


def terminal() -> Console | None:
    """Return the terminal of this job, None where its output goes elsewhere or another process has
    it.
    """
    if not (sys.stdout.isatty() and is_main_process()):
        return None
    console = Console(highlight=False)
    return None if console.is_dumb_terminal else console


def show_on(console: Console, logger: logging.Logger) -> None:
    """Let a terminal show what Lada says, and warnings; the log's file keeps everything.

    What MMEngine logs is for the file: the environment, the config, the hooks, a line of every
    value. :class:`~lada.engine.hooks.console.ConsoleHook` shows what of it is watched.

    Args:
        console: the terminal.
        logger: of the run.
    """
    for handler in [each for each in logger.handlers if type(each) is logging.StreamHandler]:
        shown = RichHandler(
            handler.level, console, show_time=False, show_level=False, show_path=False
        )
        shown.filters = [*handler.filters, _is_for_people]
        logger.removeHandler(handler)
        logger.addHandler(shown)


def _is_for_people(record: logging.LogRecord) -> bool:
    if _MMENGINE not in Path(record.pathname).parents:
        return True
    # MMEngine warns of old names that it uses itself.
    return record.levelno >= logging.WARNING and 'will be deprecated' not in record.getMessage()
