"""Jobs and parts between the processes of a team, here threads of one."""

import contextlib
import threading
import time
from multiprocessing import Pipe

import pytest

from lada.engine.distributed.team import Team, team
from lada.errors import JobError, LadaError


def pair():
    """Return the two members of a team."""
    ours, theirs = Pipe()
    return Team(0, 2, [ours]), Team(1, 2, [theirs])


def in_background(work, *args):
    """Call ``work``, which never returns, in a thread."""

    def call():
        with contextlib.suppress(Exception):
            work(*args)

    threading.Thread(target=call, daemon=True).start()


def test_jobs_are_shared_and_come_back_in_order():
    leader, follower = pair()
    done_by = {0: [], 1: []}
    first = threading.Event()

    def work_of(rank):
        def work(job):
            first.set()
            time.sleep(0.02)
            done_by[rank].append(job)
            return job**2

        return work

    in_background(follower.follow, work_of(1))
    leader.lead(work_of(0))
    futures = [leader.submit(number) for number in range(20)]
    assert first.wait(5)
    assert [leader.result(future) for future in futures] == [n**2 for n in range(20)]
    assert sorted(done_by[0] + done_by[1]) == list(range(20))
    assert min(map(len, done_by.values())) >= 5


def test_alone_a_job_is_done_when_it_is_asked_for():
    alone, done = Team(), []
    alone.lead(done.append)
    futures = [alone.submit(number) for number in range(3)]
    assert not done
    alone.result(futures[1])
    assert done == [0, 1]


def test_an_error_of_another_process_is_raised_here():
    leader, follower = pair()
    leader.lead(str)
    follower.complain(LadaError('no such thing: here; bring one'))
    future = leader.submit(1)
    with pytest.raises(LadaError, match='no such thing: here'):
        future.result(5)


@pytest.mark.parametrize('when', ['handed out', 'before'])
def test_a_lost_process_is_told(when):
    leader, follower = pair()
    [connection] = follower._connections
    if when == 'before':
        connection.close()
    leader.lead(str)
    future = leader.submit(1)
    if when == 'handed out':
        connection.recv_bytes()
        connection.close()
    with pytest.raises(JobError, match='was lost'):
        future.result(10)


def test_parts_come_in_turn():
    leader, follower = pair()
    in_background(follower.contribute, iter(['b', 'd']))
    assert list(leader.gather(iter(['a', 'c', 'e']), 5)) == list('abcde')
    leader.dismiss(0)
    assert list(Team().gather(iter('xyz'), 3)) == list('xyz')


def test_torchrun_without_a_launcher_is_refused(monkeypatch):
    monkeypatch.setenv('TORCHELASTIC_RUN_ID', 'none')
    monkeypatch.setenv('WORLD_SIZE', '2')
    with (
        pytest.raises(LadaError, match='2 of these commands; add --launcher pytorch'),
        team('none'),
    ):
        pass
    monkeypatch.setenv('WORLD_SIZE', '1')
    with team('none') as processes:
        assert processes.leads and processes.size == 1
