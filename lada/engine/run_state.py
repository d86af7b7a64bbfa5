"""What has become of a run, in its work directory: for people, and for what starts it again."""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mmengine.dist import get_rank

from lada.cli import exit_status
from lada.files import write_atomically
from lada.text import one_line

RUN_STATE = 'run_state.json'


@contextmanager
def run_state(work_dir: Path) -> Iterator[dict]:
    """Keep ``run_state.json`` while the block runs; rank 0 writes it.

    ``state`` in it is ``running`` (also after a run that was killed), ``finished`` (at
    ``max_iters``), ``stopped`` (by a signal, saved; the same command continues) or ``failed``, then
    with ``error`` and the exit ``status``. ``host``, ``pid``, ``time`` (of the last change, in
    seconds since 1970) and under SLURM ``job`` (``ID.RESTARTS``) tell whose it is.

    Yields:
        a dict whose values join the file at the block's end: ``state``, ``iteration``.
    """
    found: dict = {}
    _write(work_dir, {'state': 'running'})
    try:
        yield found
    except KeyboardInterrupt:
        found = {'state': 'stopped'}
        raise
    except Exception as error:
        found = {'state': 'failed', 'error': one_line(error), 'status': exit_status(error)}
        raise
    finally:
        # The end of a run is not to fail for this, least of all on a full disk.
        with suppress(OSError):
            _write(work_dir, found)


def _write(work_dir: Path, values: dict) -> None:
    if get_rank() != 0:
        return
    owner = {'host': socket.gethostname(), 'pid': os.getpid(), 'time': round(time.time())}
    if 'SLURM_JOB_ID' in os.environ:
        restarts = os.environ.get('SLURM_RESTART_COUNT', '0')
        owner['job'] = f'{os.environ["SLURM_JOB_ID"]}.{restarts}'
    write_atomically(work_dir / RUN_STATE, json.dumps({**values, **owner}).encode() + b'\n')
