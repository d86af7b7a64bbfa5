"""Noticing, from a thread, that another rank of the job has died or that none makes progress."""

import contextlib
import faulthandler
import json
import os
import socket
import sys
import threading
import time
import uuid
from dataclasses import dataclass
from datetime import timedelta

import torch.distributed as dist
from mmengine.dist import all_gather_object, barrier, broadcast_object_list, get_rank

from lada.errors import JobError
from lada.text import one_line, reason


@dataclass
class _Peer:
    """What this rank knows of another one (or of itself)."""

    name: str
    beat: int = 0
    steps: int = 0
    action: str = 'starting'
    error: str | None = None
    silent: int = 0
    """Looks in a row that found no new beat."""


class Watchdog:
    """Tells the other ranks that this one lives and what it does, and watches that they do the
    same.

    Ranks meet in the job's key-value store (``MASTER_ADDR``, ``MASTER_PORT``), over a connection of
    their own: a main thread blocked in a collective holds up nothing here. Silence is counted in
    looks, not in seconds of a clock, so that a job which a scheduler suspends as a whole is not
    ended when it goes on.

    Args:
        interval: seconds between two looks.
        dead_after: seconds without a sign of life after which a rank counts as dead.
        hung_after: seconds without progress of any rank after which the job counts as hung.
    """

    def __init__(self, interval: float, dead_after: float, hung_after: float):
        self.interval, self.dead_after, self.hung_after = interval, dead_after, hung_after
        self.rank = get_rank()
        names = all_gather_object(
            f'rank {self.rank} ({socket.gethostname()}, process {os.getpid()})'
        )
        self.peers = [_Peer(name) for name in names]
        self._me = _Peer(names[self.rank])
        prefix = [uuid.uuid4().hex]
        broadcast_object_list(prefix)
        self._store = dist.PrefixStore(
            f'lada/watchdog/{prefix[0]}',
            dist.TCPStore(
                os.environ['MASTER_ADDR'],
                int(os.environ['MASTER_PORT']),
                is_master=False,
                wait_for_workers=False,
                timeout=timedelta(seconds=dead_after),
            ),
        )
        self._keys = [f'{rank}' for rank in range(len(names))]
        self._still = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._beat()
        barrier()  # from here on every key exists
        self._looks = 0
        self._thread = threading.Thread(target=self._run, name='watchdog', daemon=True)
        self._thread.start()
        threading.Thread(target=self._await_answers, name='watchdog-store', daemon=True).start()

    def note(self, action: str) -> None:
        """Say what the main thread does next. All ranks note the same actions in the same order."""
        self._me.action = action
        self._me.steps += 1

    def stop(self) -> None:
        """End watching."""
        self._stop.set()
        self._thread.join(self.dead_after)

    def blame(self, error: Exception, may_be_a_consequence: bool) -> str | None:
        """Return which other rank has failed, or ``None`` and tell the others that this one has.

        Args:
            error: what ended this rank's work.
            may_be_a_consequence: ``error`` may come from another rank's end, so that it is worth
                waiting for that rank's fate to show.
        """
        end = time.monotonic() + 6 * self.interval
        while may_be_a_consequence and time.monotonic() < end:
            try:
                with self._lock:
                    self._look()
            except RuntimeError as lost:
                return self._store_lost(reason(lost))
            failed = [peer for peer in self.peers if peer.error is not None]
            found = self._silent(looks=4) or '; '.join(_fate(peer) for peer in failed)
            if found:
                return found
            time.sleep(self.interval)
        self._me.error = f'{type(error).__name__}: {one_line(error)}'
        with contextlib.suppress(RuntimeError):  # nobody may be left to be told
            self._beat()
        return None

    def _run(self) -> None:
        while not self._stop.wait(self.interval):
            try:
                with self._lock:
                    self._look()
            except RuntimeError as lost:
                verdict = self._store_lost(reason(lost))
            else:
                verdict = self._silent(self.dead_after / self.interval) or self._hang()
            self._looks += 1
            if verdict:
                self._end(verdict)

    def _await_answers(self) -> None:
        """End a rank that the store does not answer. Where a link is cut no connection breaks, and
        the store's client waits for ever, whatever its time-out.
        """
        looks = waited = 0
        while not self._stop.wait(self.interval):
            waited = waited + 1 if self._looks == looks else 0
            looks = self._looks
            if waited * self.interval >= 2 * self.dead_after:
                self._end(self._store_lost(f'no answer for {2 * self.dead_after:g} s'))

    def _end(self, verdict: str) -> None:
        if self._stop.is_set():
            return
        print(f'error: {self._me.name} ends: {verdict}', file=sys.stderr, flush=True)
        if self._me.steps == min(peer.steps for peer in self.peers):
            faulthandler.dump_traceback(sys.stderr)
        # The main thread is blocked in a collective that will not return.
        os._exit(JobError.status)

    def _beat(self) -> None:
        self._me.beat += 1
        me = self._me
        self._store.set(self._keys[self.rank], json.dumps([me.beat, me.steps, me.action, me.error]))

    def _look(self) -> None:
        self._beat()
        progress = False
        for peer, value in zip(self.peers, self._store.multi_get(self._keys), strict=True):
            beat, steps, peer.action, peer.error = json.loads(value)
            peer.silent = 0 if beat != peer.beat else peer.silent + 1
            progress |= steps != peer.steps
            peer.beat, peer.steps = beat, steps
        self._still = 0 if progress else self._still + 1

    def _silent(self, looks: float) -> str | None:
        return '; '.join(_fate(peer) for peer in self.peers if peer.silent >= looks) or None

    def _hang(self) -> str | None:
        if self._still * self.interval < self.hung_after:
            return None
        least = min(peer.steps for peer in self.peers)
        behind = [f'{peer.name}: {peer.action}' for peer in self.peers if peer.steps == least]
        which = 'all at the same action' if len(behind) == len(self.peers) else 'behind the others'
        return f'no rank has made progress for {self.hung_after:g} s; {which}: {"; ".join(behind)}'

    def _store_lost(self, why: str) -> str:
        return (
            f"the job's store, kept by its launcher or by {self.peers[0].name}, is out of reach"
            f' ({why})'
        )


def _fate(peer: _Peer) -> str:
    what = 'has died or stands still' if peer.error is None else f'failed with {peer.error}'
    return f'{peer.name} {what}; last action: {peer.action}'
