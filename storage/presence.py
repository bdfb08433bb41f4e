"""Who is there: each replica holds a lock for as long as it lives, so that others can tell that it died.

Advisory locks of PostgreSQL, on a connection of their own; what is done about a dead replica is in `sync.takeover`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass

import psycopg

from domain.errors import LockedError
from storage.jobs import away, jobs_url

ANSWER_WITHIN = 3.0
"""Seconds after which the session counts as lost."""

PATIENCE = 5.0
"""Seconds that a name may be held elsewhere: a replica that takes over what a dead one of that name left."""

LOCK = "select {}(hashtextextended('keyrail:executor:' || %s, 0))"
"""64 bits of the name: no two replicas meet on one lock by sign or chance."""

NOTICE = "set tcp_keepalives_idle = 5; set tcp_keepalives_interval = 5; set tcp_keepalives_count = 3"
"""Within 20 seconds the server notices a machine that went without a farewell, and frees its locks."""


@dataclass(frozen=True, slots=True)
class Presence:
    """The session that holds a replica's lock."""

    database_url: str
    session: psycopg.AsyncConnection[tuple[object, ...]]

    async def check(self) -> None:
        """Raise StorageError where the session, and with it the lock, is lost."""
        with said_of(self.database_url):
            async with asyncio.timeout(ANSWER_WITHIN):
                await self.session.execute("select 1")

    @asynccontextmanager
    async def gone(self, other: str) -> AsyncIterator[bool]:
        """Say whether another replica is dead. If so, nobody else is told the same until the block ends."""
        with said_of(self.database_url):
            dead = await self._locked("pg_try_advisory_lock", other)
        try:
            yield dead
        finally:
            if dead:
                with said_of(self.database_url):
                    await self._locked("pg_advisory_unlock", other)

    async def hold(self, executor: str) -> None:
        """Take the lock of this replica for as long as the session lives; raise LockedError where another has it."""
        deadline = asyncio.get_running_loop().time() + PATIENCE
        with said_of(self.database_url):
            while not await self._locked("pg_try_advisory_lock", executor):
                if asyncio.get_running_loop().time() > deadline:
                    raise LockedError(
                        f"Another replica is running under the name {executor}. Give each its own, or stop that one."
                    )
                await asyncio.sleep(0.1)

    async def _locked(self, function: str, name: str) -> bool:
        async with asyncio.timeout(ANSWER_WITHIN):
            cursor = await self.session.execute(LOCK.format(function), (name,))
            row = await cursor.fetchone()
        return row is not None and bool(row[0])


@asynccontextmanager
async def present(database_url: str, executor: str) -> AsyncIterator[Presence]:
    """Be known to live under a name, until the block ends or the session is lost (`Presence.check`).

    Needs a session of its own: a pooler in transaction mode in between would take the lock away.
    """
    async with AsyncExitStack() as stack:
        with said_of(database_url):
            session = await psycopg.AsyncConnection.connect(
                jobs_url(database_url), autocommit=True, application_name=f"keyrail presence {executor}"[:63]
            )
            stack.push_async_callback(session.close)
            await session.execute(NOTICE)
        presence = Presence(database_url, session)
        await presence.hold(executor)
        yield presence


@contextmanager
def said_of(database_url: str) -> Iterator[None]:
    """Turn the driver's errors, and silence, into a StorageError."""
    try:
        yield
    except TimeoutError as error:
        raise away(database_url, "it did not answer in time") from error
    except psycopg.Error as error:
        raise away(database_url, str(error).strip().partition("\n")[0]) from error
