"""What trackers send is stored once, many at a time, and told to be stored only when it is."""

import asyncio
from datetime import UTC, datetime

import pytest
from sqlalchemy import event, text
from sqlalchemy.engine import Engine

from domain.errors import StorageError
from storage import inbox
from storage.engine import open_store
from sync.arrivals import AT_ONCE, LARGE, Arrival, open_arrivals

AT = datetime(2026, 11, 18, 9, 30, tzinfo=UTC)


def arrival(id, **said):
    values = {"connection": "jira", "event": None, "body": b'{"n": %s}' % str(id).encode(), "received_at": AT}
    return Arrival(delivery_id=str(id), **{**values, **said})


@pytest.fixture
def woken():
    return []


@pytest.fixture
async def arrivals(store, woken):
    async with open_arrivals(store, woken.append) as opened:
        yield opened


@pytest.fixture
def commits():
    """The commits of all engines while the test runs."""
    seen = []

    def note(connection):
        seen.append(connection)

    event.listen(Engine, "commit", note)
    yield seen
    event.remove(Engine, "commit", note)


async def there(store, connection="jira"):
    async with store.read() as tx:
        return await inbox.waiting(tx, connection, limit=10_000)


async def test_a_delivery_is_stored_as_it_came(store, arrivals):
    assert await arrivals.put(arrival("a", event="issues", kind="webhook"))
    assert await arrivals.put(arrival("b", kind="hint", body=b'[{"id": "1", "key": "PAY-1"}]'))
    first, second = await there(store)
    assert (first.connection, first.delivery_id, first.kind, first.event) == ("jira", "a", "webhook", "issues")
    assert (first.read_at, first.attempts, first.error) == (AT, 0, None)
    assert inbox.unpack(first.body) == b'{"n": a}'
    assert (second.kind, inbox.unpack(second.body)) == ("hint", b'[{"id": "1", "key": "PAY-1"}]')


async def test_what_is_known_is_stored_once_and_wakes_nobody(store, arrivals, woken):
    assert await arrivals.put(arrival("a"))
    assert not await arrivals.put(arrival("a", body=b"{}"))
    assert await arrivals.put(arrival("a", connection="github"))
    assert woken == ["jira", "github"]
    assert [inbox.unpack(one.body) for one in await there(store)] == [b'{"n": a}']


async def test_of_the_same_delivery_twice_in_one_commit_the_first_is_new(store, arrivals, commits):
    told = await asyncio.gather(*(arrivals.put(arrival("a", body=b'{"n": %d}' % n)) for n in range(5)))
    assert told == [True, False, False, False, False]
    assert [inbox.unpack(one.body) for one in await there(store)] == [b'{"n": 0}']
    assert len(commits) <= 2  # the second is that of the reading


async def test_many_at_once_share_few_commits_and_none_is_lost(store, arrivals, commits, woken):
    told = await asyncio.gather(*(arrivals.put(arrival(n % 1200)) for n in range(1500)))
    assert sum(told) == 1200
    assert len(commits) <= 2 * 1500 / AT_ONCE
    assert {one.delivery_id for one in await there(store)} == {str(n) for n in range(1200)}
    assert set(woken) == {"jira"}


async def test_a_large_body_holds_up_nobody_and_comes_back_whole(store, arrivals):
    body = b"[" + b"1234567890," * (LARGE // 8) + b"0]"
    large = asyncio.create_task(arrivals.put(arrival("large", body=body)))
    assert await arrivals.put(arrival("small"))
    assert await large
    assert {one.delivery_id: inbox.unpack(one.body) for one in await there(store)}["large"] == body


async def test_at_the_end_what_waits_is_written_and_nothing_more_is_taken(store, woken):
    async with open_arrivals(store, woken.append) as arrivals:
        puts = [asyncio.create_task(arrivals.put(arrival(n))) for n in range(700)]
        await asyncio.sleep(0)
    assert all(await asyncio.gather(*puts))
    assert len(await there(store)) == 700
    with pytest.raises(StorageError, match="stopping"):
        await arrivals.put(arrival("late"))


async def test_without_the_database_each_is_told_and_the_next_one_may_fare_better(store, arrivals, caplog):
    async with store.write() as tx:
        await tx.execute(text("alter table inbox rename to elsewhere"))
    told = await asyncio.gather(*(arrivals.put(arrival(n)) for n in range(3)), return_exceptions=True)
    assert [type(one) for one in told] == [StorageError] * 3
    async with store.write() as tx:
        await tx.execute(text("alter table elsewhere rename to inbox"))
    assert await arrivals.put(arrival(0))
    assert "3 deliveries were not stored" in caplog.text
    assert "parameters" not in caplog.text


async def test_of_two_receivers_that_are_sent_the_same_one_is_told_that_it_is_new(store, database_url):
    other = await open_store(database_url)
    async with open_arrivals(store, lambda _: None) as one, open_arrivals(other, lambda _: None) as two:
        told = await asyncio.gather(*(to.put(arrival(n)) for n in range(100) for to in (one, two)))
    await other.close()
    assert sum(told) == 100
    assert len(await there(store)) == 100


async def test_what_is_stored_together_is_written_in_the_order_of_names(store, arrivals):
    """In another order two receivers that are sent the same could hold each other up for ever."""
    await asyncio.gather(*(arrivals.put(arrival(name)) for name in "dacb"))
    assert [one.delivery_id for one in await there(store)] == ["a", "b", "c", "d"]


async def test_sqlite_syncs_each_commit_of_the_receiver_alone(sqlite_url):
    store = await open_store(sqlite_url)
    async with store.durable() as durable, durable.read() as tx, store.read() as plain:
        assert (await tx.scalar(text("PRAGMA synchronous")), await plain.scalar(text("PRAGMA synchronous"))) == (2, 1)
        assert (await tx.scalar(text("PRAGMA busy_timeout"))) == 30000
    await store.close()
