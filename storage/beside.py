"""Which versions of Keyrail work on one PostgreSQL at the same time: each service says so for as long as it lives.

A shared advisory lock a service, with the revision of its code as the second half of its key. SQLite has one service.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text

from domain.errors import LockedError
from storage.engine import Store, Transaction, explained
from storage.revision import BESIDE, REVISION

CLASS = 0x6B657972
"""the first half of the locks' keys: "keyr" in ASCII"""

OTHERS = text(
    "select l.objid::int, count(*) from pg_locks l where l.locktype = 'advisory' and l.granted and l.objsubid = 2"
    " and l.classid = :class and l.database = (select oid from pg_database where datname = current_database())"
    " group by l.objid order by l.objid"
)


@asynccontextmanager
async def beside(store: Store) -> AsyncIterator[None]:
    """Be known as a running service; raise LockedError where one runs that cannot work beside this version."""
    if store.path is not None:
        yield
        return
    with explained(store.url):
        opening = store.engine.connect()
        session = await opening.start()
    try:
        with explained(store.url):
            tx = await session.execution_options(isolation_level="AUTOCOMMIT")
            key = {"class": CLASS, "revision": int(REVISION)}
            await tx.execute(text("select pg_advisory_lock_shared(:class, :revision)"), key)
            await refuse_others(tx, "This version cannot work beside it: stop it first.")
        yield
    finally:
        await session.invalidate()
        await session.close()


async def refuse_others(tx: Transaction, advice: str) -> None:
    """Raise LockedError that says what to do where services run whose code cannot work with this version's schema."""
    running = [(f"{row[0]:04}", row[1]) for row in await tx.execute(OTHERS, {"class": CLASS})]
    foreign = [(revision, count) for revision, count in running if revision not in BESIDE]
    if foreign:
        told = ", ".join(f"{count} with schema {revision}" for revision, count in foreign)
        raise LockedError(f"A keyrail serve of another version runs on this database ({told}). {advice}")
