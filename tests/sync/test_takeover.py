"""Dead replicas: known by the lock that went with them; the living are left alone, also by two who look at once."""

import asyncio

import psycopg
import pytest

from domain.errors import LockedError, StorageError
from storage import presence
from storage.presence import present
from sync import takeover
from sync.takeover import Running, replica, take_over

pytestmark = pytest.mark.postgres


class Jobs:
    """The jobs of all replicas as a list; something may happen while somebody looks at it."""

    def __init__(self, *running):
        self.list = list(running)
        self.resumed = []
        self.looks = 0
        self.at_look = {}

    async def running(self, executor=None):
        self.looks += 1
        found = [job for job in self.list if executor in (None, job.executor)]
        if self.looks in self.at_look:
            await self.at_look[self.looks]()
        return found

    async def resume(self, job):
        self.list.remove(job)
        self.resumed.append(job.id)


def job(id, executor):
    """Return a job that a replica runs."""
    return Running(id=id, executor=executor, queue="pulls")


@pytest.fixture
def quick(monkeypatch):
    """Look after others many times a second, and be patient for less than one."""
    monkeypatch.setattr(takeover, "TICK", 0.05)
    monkeypatch.setattr(takeover, "AGAIN", 0.05)
    monkeypatch.setattr(presence, "PATIENCE", 0.3)


async def until(condition, within=10.0):
    """Wait until a condition holds; fail after `within` seconds."""
    async with asyncio.timeout(within):
        while True:
            if condition():
                return
            await asyncio.sleep(0.02)


def sessions(url, executor):
    """Return the processes of the server that hold a replica's lock."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "select l.pid from pg_locks l join pg_stat_activity a using (pid)"
            " where l.locktype = 'advisory' and l.granted and a.application_name = %s",
            (f"keyrail presence {executor}",),
        ).fetchall()
    return [pid for (pid,) in rows]


async def test_what_the_dead_left_goes_on_and_the_living_are_left_alone(postgres_url):
    jobs = Jobs(job("1", "dead"), job("2", "alive"), job("3", "me"), job("4", "dead"))
    async with present(postgres_url, "alive"), present(postgres_url, "me") as me:
        assert await take_over(me, "me", jobs) == 2
    assert jobs.resumed == ["1", "4"]


async def test_who_comes_second_takes_nothing(postgres_url):
    jobs = Jobs(job("1", "dead"))
    async with present(postgres_url, "first") as first, present(postgres_url, "second") as second:

        async def the_first_is_quicker():
            assert await take_over(first, "first", jobs) == 1

        jobs.at_look[1] = the_first_is_quicker
        assert await take_over(second, "second", jobs) == 0
    assert jobs.resumed == ["1"]


async def test_while_one_takes_over_another_keeps_off(postgres_url):
    jobs = Jobs(job("1", "dead"))
    async with present(postgres_url, "first") as first, present(postgres_url, "second") as second:

        async def meanwhile():
            async with second.gone("dead") as dead:
                assert not dead

        jobs.at_look[2] = meanwhile
        assert await take_over(first, "first", jobs) == 1
        async with second.gone("dead") as dead:
            assert dead


async def test_a_replica_that_ends_is_dead_for_the_others(postgres_url, quick):
    jobs = Jobs()
    async with replica(postgres_url, "staying", jobs):
        async with replica(postgres_url, "leaving", Jobs()):
            jobs.list.append(job("1", "leaving"))
            looks = jobs.looks
            await until(lambda: jobs.looks > looks + 3)
            assert not jobs.resumed
        await until(lambda: jobs.resumed == ["1"])


async def test_a_lock_that_was_lost_is_taken_again(postgres_url, quick, caplog):
    async with replica(postgres_url, "me", Jobs()):
        (before,) = sessions(postgres_url, "me")
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute("select pg_terminate_backend(%s)", (before,))
        await until(lambda: sessions(postgres_url, "me") not in ([], [before]))
    assert "others may take over its jobs" in caplog.text
    assert sessions(postgres_url, "me") == []


async def test_a_list_that_cannot_be_read_costs_no_replica_its_lock(postgres_url, quick, caplog):
    jobs = Jobs(job("1", "dead"))

    async def away():
        raise StorageError("away")

    async def broken():
        raise ValueError("broken")

    jobs.at_look |= {1: away, 2: broken}
    async with replica(postgres_url, "me", jobs):
        (before,) = sessions(postgres_url, "me")
        await until(lambda: jobs.resumed)
        assert sessions(postgres_url, "me") == [before]
    assert "Nobody looked after other replicas this time. away" in caplog.text
    assert "ValueError: broken" in caplog.text


async def test_a_name_that_another_replica_has_is_refused(postgres_url, quick):
    async with replica(postgres_url, "me", Jobs()):
        with pytest.raises(LockedError, match="Another replica is running under the name me"):
            async with replica(postgres_url, "me", Jobs()):
                pass


async def test_a_database_that_is_away_at_the_start_is_told():
    with pytest.raises(StorageError, match="is running and reachable"):
        async with replica("postgresql://postgres@127.0.0.1:1/keyrail", "me", Jobs()):
            pass
