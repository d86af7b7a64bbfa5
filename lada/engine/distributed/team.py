"""Processes that share the work of one command: the first plans it and writes what comes of it, and
all of them do it.

Work and results travel over connections of their own: a collective of the process group would hold
signals off, and give up after a time.
"""

import os
import pickle
import queue
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener
from typing import Any, NamedTuple, NoReturn, cast

from mmengine.dist import all_gather_object, broadcast_object_list, get_rank, get_world_size

from lada.cli import exit_status
from lada.engine.distributed.agreement import check_same, versions
from lada.engine.distributed.process_group import process_group
from lada.errors import JobError, LadaError

_PATIENCE = 2.0
"""Seconds in which the signal that has ended another process may arrive here too."""


class _End(NamedTuple):
    """The last thing that the first process says."""

    status: int


class Team:
    """The processes of one command; one that was started alone is a team of itself.

    Args:
        rank: of this process.
        size: number of processes.
        connections: of the first process, to all others in the order of their ranks; of the others,
            to the first.
    """

    def __init__(self, rank: int = 0, size: int = 1, connections: Iterable[Connection] = ()):
        self.rank, self.size = rank, size
        self._connections = list(connections)
        self._sending = [threading.Lock() for _ in self._connections]
        self._jobs: queue.SimpleQueue[tuple[Future, Any]] = queue.SimpleQueue()
        self._work: Callable[[Any], Any] | None = None

    @property
    def leads(self) -> bool:
        """Whether this is the first process."""
        return self.rank == 0

    def lead(self, work: Callable[[Any], Any]) -> None:
        """In the first process: let :meth:`submit` hand out jobs for ``work``, which all share."""
        self._work = work
        for number in range(len(self._connections)):
            threading.Thread(target=self._feed, args=(number,), daemon=True).start()

    def submit(self, job: Any) -> Future:
        """Hand out a job, which :meth:`result` waits for; it and its result must be picklable."""
        future: Future = Future()
        self._jobs.put((future, job))
        return future

    def result(self, future: Future) -> Any:
        """Return what became of a job; until then, do those that nobody has taken.

        Raises the :class:`LadaError` of the process that did it, and :class:`JobError` where that
        process was lost.
        """
        assert self._work is not None, 'lead() comes first'
        while not future.done():
            try:
                other, job = self._jobs.get_nowait()
            except queue.Empty:
                break
            other.set_result(self._work(job))
        return future.result()

    def follow(self, work: Callable[[Any], Any]) -> NoReturn:
        """In another process than the first: do jobs until the block of :func:`team` ends."""
        [connection] = self._connections
        while True:
            self._answer(work(_receive(connection)))

    def gather(self, parts: Iterable[Any], count: int) -> Iterator[Any]:
        """In the first process: yield the parts of all processes, ``count`` in all.

        Args:
            parts: of this process: those with the numbers rank, rank + size, rank + 2 size, ...
        """
        mine = iter(parts)
        for number in range(count):
            rank = number % self.size
            yield next(mine) if rank == 0 else _receive(self._connections[rank - 1])

    def contribute(self, parts: Iterable[Any]) -> NoReturn:
        """In another process than the first: hand over the parts of this process, see
        :meth:`gather`, and wait until the block of :func:`team` ends.
        """
        [connection] = self._connections
        for part in parts:
            self._answer(part)
        while True:
            _receive(connection)

    def share(self, value: Any) -> Any:
        """Return what the first process gave."""
        if not self.leads:
            return _receive(self._connections[0])
        for connection in self._connections:
            _send(connection, value)
        return value

    def complain(self, error: LadaError) -> None:
        """In another process than the first: hand over an error, which is raised there too."""
        self._answer(error)

    def _answer(self, message: Any) -> None:
        # Whether the first process is lost shows when it is listened to.
        with suppress(OSError):
            _send(self._connections[0], message)

    def dismiss(self, status: int) -> None:
        """In the first process: let the others end with a status."""
        for connection, sending in zip(self._connections, self._sending, strict=True):
            # Whoever does not listen has ended, or is being ended by a signal of its own.
            if sending.acquire(timeout=_PATIENCE):
                with suppress(OSError):
                    _send(connection, _End(status))

    def _feed(self, number: int) -> None:
        """Pass jobs on to another process, one after the other."""
        connection = self._connections[number]
        while True:
            future, job = self._jobs.get()
            try:
                # Whoever hears nothing more may have said why.
                with self._sending[number], suppress(OSError):
                    _send(connection, job)
                future.set_result(_receive(connection))
            except Exception as error:
                future.set_exception(error)
                return


def _send(connection: Connection, message: Any) -> None:
    # Not Connection.send: torch would pass tensors as shared memory, which is of one machine.
    connection.send_bytes(pickle.dumps(message, protocol=5))


def _receive(connection: Connection) -> Any:
    try:
        message = pickle.loads(connection.recv_bytes())
    except (EOFError, OSError) as error:
        time.sleep(_PATIENCE)
        raise JobError(
            'another process of this command was lost; its own message says why'
        ) from error
    if isinstance(message, LadaError):
        raise message
    if isinstance(message, _End):
        raise _Dismissed(message.status)
    return message


class _Dismissed(Exception):
    """The first process needs this one no more."""

    def __init__(self, status: int):
        super().__init__(status)
        self.status = status


@contextmanager
def team(launcher: str) -> Iterator[Team]:
    """Be one of the processes that ``launcher`` has started, ``none``: the only one.

    In all but the first, the block ends when the first one leaves it.

    Raises :class:`LadaError` where the processes cannot meet, or differ in their versions.
    """
    if launcher == 'none' and 'TORCHELASTIC_RUN_ID' in os.environ:
        others = int(os.environ.get('WORLD_SIZE', '1'))
        if others > 1:
            raise LadaError(
                f'torchrun has started {others} of these commands; add --launcher pytorch, and they'
                ' share the work'
            )
    with process_group(launcher, 'gloo'):
        check_same(versions())
        rank, size = get_rank(), get_world_size()
        connections = _connect(rank, size)
    processes = Team(rank, size, connections)
    status = 0
    try:
        yield processes
    except _Dismissed as dismissed:
        if dismissed.status:
            sys.exit(dismissed.status)
    except BaseException as error:
        status = 128 + signal.SIGTERM
        if isinstance(error, Exception):
            status = exit_status(error)
        if isinstance(error, LadaError) and not processes.leads:
            processes.complain(error)
        raise
    finally:
        if processes.leads:
            processes.dismiss(status)


def _connect(rank: int, size: int) -> list[Connection]:
    """Return the first process's connections to all others, or a connection to the first."""
    if size == 1:
        return []
    one_machine = os.environ.get('LOCAL_WORLD_SIZE') == str(size)
    host = '127.0.0.1' if one_machine else os.environ['MASTER_ADDR']
    listener = None
    invitation: list[Any] = [None, secrets.token_bytes(32)]
    if rank == 0:
        key = invitation[1]
        listener = Listener((host if one_machine else '', 0), backlog=size, authkey=key)
        invitation[0] = cast(tuple, listener.address)[1]
    broadcast_object_list(invitation)
    port, key = invitation
    connections: list[Connection] = []
    if listener is not None:
        meeting = threading.Thread(target=_welcome, args=(listener, size, connections), daemon=True)
        meeting.start()
    problem = None
    try:
        if listener is None:
            connections.append(Client((socket.gethostbyname(host), port), authkey=key))
            _send(connections[0], rank)
    except (OSError, AuthenticationError) as error:
        problem = (
            f'rank {rank} on {socket.gethostname()} cannot reach the first process at'
            f' {host}:{port} ({error}); the machines of a job must reach each other on any port'
        )
    for each in all_gather_object(problem):
        if each is not None:
            raise LadaError(each)
    if listener is not None:
        meeting.join()
        listener.close()
    return connections


def _welcome(listener: Listener, size: int, connections: list[Connection]) -> None:
    """Fill ``connections`` with those of the ranks 1 to size - 1."""
    by_rank: dict[int, Connection] = {}
    while len(by_rank) < size - 1:
        # Whoever does not know the key is none of us.
        with suppress(OSError, EOFError, AuthenticationError):
            connection = cast(Connection, listener.accept())
            by_rank[_receive(connection)] = connection
    connections += [by_rank[rank] for rank in sorted(by_rank)]
