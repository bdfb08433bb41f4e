"""Transactions and locks: nothing is lost between reading and writing, and every refusal says what to do."""

import asyncio
import os
import sys
import textwrap
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Column, MetaData, Table, event, select, text

from domain.errors import LockedError, StorageError
from storage import checkpoints, inbox
from storage.engine import create_store, open_store
from storage.tables import Instant

HOLDER = """
    import asyncio, sys
    from storage.engine import open_store

    async def hold():
        store = await open_store(sys.argv[1])
        async with store.lock("jira-main"):
            print("held", flush=True)
            await asyncio.Event().wait()

    asyncio.run(hold())
"""


async def count_up(store, times):
    for _ in range(times):
        async with store.write() as tx:
            value = await checkpoints.note(tx, "counter") or 0
            await asyncio.sleep(0)
            await checkpoints.save_note(tx, "counter", value + 1)


async def test_read_modify_write_by_many_tasks_loses_nothing_on_sqlite(sqlite_url):
    store = await open_store(sqlite_url)
    await asyncio.gather(*(count_up(store, 20) for _ in range(8)))
    async with store.read() as tx:
        assert await checkpoints.note(tx, "counter") == 160
    await store.close()


async def test_reading_never_waits_for_a_writer(store):
    async with store.write() as tx:
        await checkpoints.save_note(tx, "counter", 1)
        async with asyncio.timeout(2), store.read() as reader:
            assert await checkpoints.note(reader, "counter") is None
    async with store.read() as reader:
        assert await checkpoints.note(reader, "counter") == 1


async def test_a_transaction_that_fails_leaves_nothing(store):
    async def fail_midway():
        async with store.write() as tx:
            await checkpoints.save_note(tx, "counter", 1)
            raise ValueError("midway")

    with pytest.raises(ValueError, match="midway"):
        await fail_midway()
    async with store.read() as tx:
        assert await checkpoints.note(tx, "counter") is None


async def test_sqlite_forgets_no_setting_between_connections(sqlite_url):
    store = await open_store(sqlite_url)
    async with store.read() as first, store.read() as second:
        for tx in (first, second):
            assert (await tx.scalar(text("PRAGMA journal_mode"))) == "wal"
            assert (await tx.scalar(text("PRAGMA foreign_keys"))) == 1
            assert (await tx.scalar(text("PRAGMA busy_timeout"))) == 30000
    await store.close()


async def test_a_full_disk_is_told_and_what_was_committed_is_kept(sqlite_url):
    store = create_store(sqlite_url)

    def few_pages(connection, _record):
        cursor = connection.cursor()
        cursor.execute("PRAGMA max_page_count=100")
        cursor.close()

    event.listen(store.engine.sync_engine, "connect", few_pages)
    kept = []

    async def fill():
        for number in range(1000):
            async with store.write() as tx:
                await put_noise(tx, number)
            kept.append(number)

    with pytest.raises(StorageError, match=r"keyrail\.db.*disk is full.*Free some space.*committed so far is kept"):
        await fill()
    assert 0 < len(kept) < 1000
    async with store.read() as tx:
        assert (await inbox.size(tx))[0] == len(kept)
    await store.close()
    roomy = await open_store(sqlite_url)
    async with roomy.write() as tx:
        await put_noise(tx, 1000)
        assert (await inbox.size(tx))[0] == len(kept) + 1
    await roomy.close()


async def put_noise(tx, number):
    await inbox.put(
        tx,
        connection="jira",
        delivery_id=str(number),
        kind="items",
        body=bytes(4000),
        read_at=datetime(2026, 11, 18, tzinfo=UTC),
    )


async def test_a_lock_is_held_by_one_and_names_its_holder(store, database_url):
    other = await open_store(database_url)
    async with store.lock("jira-main"):
        with pytest.raises(LockedError, match=r"^jira-main: another pull is running \(.*\d+.*\)\. Wait") as raised:
            async with other.lock("jira-main"):
                pytest.fail("held twice")
        assert f"{os.getpid()} on {os.uname().nodename}" in str(raised.value)
        async with other.lock("linear"):
            pass
    async with other.lock("jira-main"):
        pass
    await other.close()


async def test_a_patient_taker_gets_the_lock_when_it_is_free(store, database_url):
    other = await open_store(database_url)
    order = []

    async def wait_for_it():
        async with other.lock("jira-main", patience=10):
            order.append("second")

    async with store.lock("jira-main"):
        waiter = asyncio.create_task(wait_for_it())
        await asyncio.sleep(0)
        order.append("first")
    await waiter
    assert order == ["first", "second"]
    await other.close()


async def test_an_error_in_the_work_is_not_taken_for_one_of_the_lock(store):
    with pytest.raises(LockedError, match="inner"):
        async with store.lock("jira-main", patience=10):
            raise LockedError("inner")
    with pytest.raises(ConnectionRefusedError):
        async with store.lock("jira-main"):
            raise ConnectionRefusedError("connection refused by a tracker")
    async with store.lock("jira-main"):
        pass


async def test_a_lock_dies_with_its_process(store, database_url):
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(HOLDER), database_url, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert await holder.stdout.readline() == b"held\n"
        with pytest.raises(LockedError, match=rf"{holder.pid} on "):
            async with store.lock("jira-main"):
                pytest.fail("held twice")
    finally:
        holder.kill()
        await holder.communicate()
    async with store.lock("jira-main", patience=10):
        pass


BERLIN = timezone(timedelta(hours=1))
MOMENTS = Table("moments", MetaData(), Column("at", Instant()))


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 11, 18, 9, 30, 0, 123456, tzinfo=UTC),
        datetime(2026, 11, 18, 10, 30, tzinfo=BERLIN),
        datetime(1970, 1, 1, tzinfo=UTC),
    ],
)
async def test_an_instant_comes_back_aware_and_in_utc(store, moment):
    async with store.write() as tx:
        await tx.run_sync(MOMENTS.create)
        if store.path is None:
            await tx.execute(text("set timezone = 'America/Los_Angeles'"))
        await tx.execute(MOMENTS.insert(), [{"at": moment}, {"at": None}])
        found = list(await tx.scalars(select(MOMENTS.c.at).where(MOMENTS.c.at == moment)))
        assert found == [moment]
        assert found[0].tzinfo is UTC
        assert list(await tx.scalars(select(MOMENTS.c.at).where(MOMENTS.c.at.is_(None)))) == [None]


async def test_a_naive_instant_is_refused(store):
    async with store.write() as tx:
        await tx.run_sync(MOMENTS.create)
        with pytest.raises(Exception, match="no time zone"):
            await tx.execute(MOMENTS.insert(), [{"at": datetime(2026, 11, 18)}])  # noqa: DTZ001


async def test_a_json_column_comes_back_as_it_was(store):
    values = [None, 0, 1.5, True, "Größe", [], {}, {"b": [1, None, {"a": "✓"}], "a": 1e-9}, [{"day": "2026-11-18"}]]
    async with store.write() as tx:
        for number, value in enumerate(values):
            await checkpoints.save(tx, "jira", str(number), value)
    async with store.read() as tx:
        found = [await checkpoints.load(tx, "jira", str(number)) for number in range(len(values))]
    assert found == values
    assert [type(value) for value in found] == [type(value) for value in values]


async def test_json_columns_take_instants_and_days(store):
    at = datetime(2026, 11, 18, 10, 30, tzinfo=BERLIN)
    async with store.write() as tx:
        await checkpoints.save_note(tx, "at", {"at": at.astimezone(UTC), "day": at.date()})
        assert await checkpoints.note(tx, "at") == {"at": "2026-11-18T09:30:00Z", "day": "2026-11-18"}


async def test_checkpoints_are_kept_by_connection_and_stream(store):
    async with store.write() as tx:
        await checkpoints.save(tx, "jira", "changes", {"at": 1})
        await checkpoints.save(tx, "jira", "changes", {"at": 2})
        await checkpoints.save(tx, "linear", "changes", {"at": 3})
        await checkpoints.save(tx, "jira", "backfill", {"at": 4})
        assert await checkpoints.of_stream(tx, "changes") == {"jira": {"at": 2}, "linear": {"at": 3}}
        await checkpoints.drop(tx, "jira", "changes")
        assert await checkpoints.load(tx, "jira", "changes") is None
        assert await checkpoints.load(tx, "jira", "backfill") == {"at": 4}


async def test_issued_tokens_are_kept_sealed(store):
    async with store.write() as tx:
        assert await checkpoints.issued_token(tx, "jira") is None
        await checkpoints.save_issued_token(tx, "jira", b"\x00sealed")
        await checkpoints.save_issued_token(tx, "jira", b"\x00again")
        assert await checkpoints.issued_token(tx, "jira") == b"\x00again"
