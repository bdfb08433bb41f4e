"""The schema: migrated from empty, the same as in the code, and never touched where a person must decide."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import text

from domain.errors import StorageError
from storage import journal, migrate, outbox
from storage.engine import create_store, open_store, revision, upgrade
from storage.revision import REVISION


async def run(store, work):
    """Run a migration command inside a transaction."""
    async with store.engine.begin() as tx:
        await tx.run_sync(work)


async def set_revision(url, number):
    store = create_store(url)
    async with store.write() as tx:
        await tx.execute(text("update alembic_version set version_num = :number"), {"number": number})
    await store.close()


async def tables(url):
    store = create_store(url)
    async with store.read() as tx:
        names = await tx.run_sync(lambda sync: sync.dialect.get_table_names(sync))
    await store.close()
    return set(names)


def test_the_revision_in_the_code_is_the_newest_of_the_folder():
    folder = ScriptDirectory.from_config(migrate.config())
    assert folder.get_heads() == [REVISION]
    files = sorted(path.name for path in Path(folder.versions).glob("*.py"))
    assert files[-1].startswith(f"{REVISION}_")


async def test_an_empty_database_is_set_up_as_the_code_has_it(empty_url):
    assert await tables(empty_url) == set()
    store = await open_store(empty_url)
    assert await revision(store) == REVISION
    await run(store, migrate.run_check)
    await store.close()
    again = await open_store(empty_url)
    await again.close()


async def test_check_sees_a_table_that_the_migrations_forgot(store):
    async with store.write() as tx:
        await tx.execute(text("drop table notes"))
    with pytest.raises(Exception, match="New upgrade operations detected"):
        await run(store, migrate.run_check)


async def test_down_leaves_nothing_and_up_brings_it_back(store):
    await run(store, lambda connection: command.downgrade(migrate.config(connection), "base"))
    assert await tables(store.url) == {"alembic_version"}
    assert await revision(store) is None
    await upgrade(store)
    await run(store, migrate.run_check)


async def test_the_reports_of_days_become_entries_of_the_journal(store):
    """Each as it was shown; what stayed as on the day before is no entry of its own."""
    first = {"objectives": [{"id": "O1", "progress": 0.1}], "key_results": [{"id": "KR1", "progress": 0.1}]}
    second = {"objectives": [{"id": "O1", "progress": 0.2}], "key_results": [{"id": "KR1", "progress": 0.1}]}
    await run(store, lambda connection: command.downgrade(migrate.config(connection), "0005"))
    async with store.write() as tx:
        for day, report in (("2026-11-17", first), ("2026-11-18", second)):
            row = {"day": day, "at": f"{day} 06:00:00+00:00", "report": json.dumps(report)}
            kept = "insert into snapshots (day, at, file, report) values ({}, {}, 'abc', {})"
            typed = (":day", ":at", ":report")
            if store.path is None:
                typed = ("cast(:day as date)", "cast(:at as timestamptz)", "cast(:report as jsonb)")
            await tx.execute(text(kept.format(*typed)), row)
    await upgrade(store)
    async with store.read() as tx:
        found = await journal.as_of(tx, datetime(2026, 11, 18, 23, tzinfo=UTC))
        before = await journal.as_of(tx, datetime(2026, 11, 17, 23, tzinfo=UTC), "O1")
    assert [(row.id, row.at.day, row.how, row.file, row.entry["progress"]) for row in found] == [
        ("KR1", 17, "shown", "abc", 0.1), ("O1", 18, "shown", "abc", 0.2),
    ]  # fmt: skip
    assert [row.entry["progress"] for row in before] == [0.1]


async def test_the_ids_of_our_entries_move_out_of_the_contents_and_back(store):
    place = outbox.Place(target="notes", kind="initiative", subject="I1", address="10001")
    due = outbox.Due(
        place=place,
        content={"content": {"text": "62 %"}},
        fingerprint="a",
        action="update",
        reason="first time",
        first_due_at=datetime(2026, 11, 18, tzinfo=UTC),
    )
    async with store.write() as tx:
        await outbox.remember(tx, due, due.first_due_at, entry="IC_7")
    await run(store, lambda connection: command.downgrade(migrate.config(connection), "0010"))
    async with store.read() as tx:
        kept = await tx.scalar(text("select content from publications"))
    assert (json.loads(kept) if isinstance(kept, str) else kept) == {"content": {"text": "62 %"}, "entry": "IC_7"}
    await upgrade(store)
    async with store.read() as tx:
        told = (await outbox.ledger(tx))[place]
    assert (told.entry, told.content, told.state) == ("IC_7", {"content": {"text": "62 %"}}, "told")


async def test_a_database_ahead_of_the_code_is_refused_untouched(database_url):
    await set_revision(database_url, "9999")
    with pytest.raises(StorageError, match=rf"9999.*{REVISION}.*Upgrade Keyrail.*not touched"):
        await open_store(database_url)
    store = create_store(database_url)
    assert await revision(store) == "9999"
    await store.close()


@pytest.mark.postgres
async def test_postgresql_behind_the_code_waits_for_a_person(postgres_url):
    await set_revision(postgres_url, "0000")
    with pytest.raises(StorageError, match=rf"0000.*{REVISION}.*keyrail db upgrade"):
        await open_store(postgres_url)
    store = create_store(postgres_url)
    assert await revision(store) == "0000"
    await store.close()


async def test_two_processes_at_once_set_up_one_database(empty_url):
    stores = await asyncio.gather(*(open_store(empty_url) for _ in range(3)))
    assert [await revision(store) for store in stores] == [REVISION] * 3
    for store in stores:
        await store.close()


@pytest.mark.parametrize("url", ["mysql://localhost/x", "keyrail.db", "sqlite://", "sqlite:///:memory:"])
async def test_a_url_that_cannot_be_used_is_refused_by_name(url):
    with pytest.raises(StorageError, match="KEYRAIL_DATABASE_URL"):
        await open_store(url)


@pytest.mark.postgres
async def test_a_message_about_the_database_never_shows_its_password(postgres_url):
    with pytest.raises(StorageError, match=r"does_not_exist.*Create it") as raised:
        await open_store(f"{postgres_url.replace('postgres@', 'postgres:hunter2@')}_does_not_exist")
    assert "hunter2" not in str(raised.value)


async def test_a_file_that_is_no_database_is_named(tmp_path):
    (tmp_path / "notes.txt").write_text("not a database, " * 100)
    with pytest.raises(StorageError, match=r"notes\.txt.*not a database.*name another"):
        await open_store(f"sqlite:///{tmp_path}/notes.txt")
