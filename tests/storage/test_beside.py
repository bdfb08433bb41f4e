"""Versions of the service on one PostgreSQL: those that cannot work with one schema never run side by side."""

import pytest
from sqlalchemy import text

from domain.errors import LockedError
from storage.beside import CLASS, beside
from storage.engine import open_store
from storage.revision import REVISION


@pytest.fixture
async def pg_store(postgres_url):
    opened = await open_store(postgres_url)
    yield opened
    await opened.close()


@pytest.fixture
async def other(store):
    """A second process's view of the database."""
    opened = await open_store(store.url)
    yield opened
    await opened.close()


async def test_services_of_one_version_run_side_by_side(store, other):
    async with beside(store), beside(other), store.read() as tx:
        assert await tx.scalar(text("select 1")) == 1


@pytest.mark.postgres
async def test_a_service_with_another_schema_must_stop_first(pg_store):
    async with pg_store.engine.connect() as session:
        older = {"class": CLASS, "revision": int(REVISION) - 1}
        await session.execute(text("select pg_advisory_lock_shared(:class, :revision)"), older)
        with pytest.raises(LockedError, match=f"1 with schema {int(REVISION) - 1:04}.*stop it first"):
            async with beside(pg_store):
                pytest.fail("it ran beside an older one")
        await session.execute(text("select pg_advisory_unlock_shared(:class, :revision)"), older)
        await session.commit()
    async with beside(pg_store):
        pass


@pytest.mark.postgres
async def test_one_that_ended_is_not_in_the_way(pg_store):
    async with beside(pg_store), pg_store.read() as tx:
        assert await tx.scalar(text("select count(*) from pg_locks where classid = :class"), {"class": CLASS}) == 1
    async with pg_store.read() as tx:
        assert await tx.scalar(text("select count(*) from pg_locks where classid = :class"), {"class": CLASS}) == 0
