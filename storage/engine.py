"""Opening the database: engines, transactions, migrations' state and the lock of a connection.

Functions elsewhere in `storage` take an open transaction and never commit; only the callers of
`Store.write` and `Store.read` decide where one begins and ends.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import orjson
from sqlalchemy import event, make_url, text
from sqlalchemy.engine import Connection as SyncConnection
from sqlalchemy.exc import DataError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from domain.errors import LockedError, NewerSchemaError, PayloadError, StorageError
from storage.revision import REVISION

Transaction = AsyncConnection


def dumps(value: object) -> str:
    """Serialise a JSON column."""
    return orjson.dumps(value, option=orjson.OPT_UTC_Z).decode()


def loads(stored: str | float) -> Any:  # Any: a JSON value
    """Read a JSON column; SQLite hands out a bare number as one."""
    return orjson.loads(stored) if isinstance(stored, str) else stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """One database. `path` is the SQLite file, None on PostgreSQL."""

    url: str
    engine: AsyncEngine
    path: Path | None

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        """Open a read-write transaction; on SQLite it holds the write lock from the start."""
        with explained(self.url):
            async with self.engine.begin() as tx:
                yield tx

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[Transaction]:
        """Open a read-write transaction beside which no other of this kind runs: for what writes items and numbers.

        Two of them would read what the other is about to change, and PostgreSQL would find them in a deadlock.
        """
        async with self.write() as tx:
            if self.path is None:
                await tx.execute(text("select pg_advisory_xact_lock(hashtextextended('keyrail:items', 0))"))
            yield tx

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """Open a transaction that only reads and never waits for a writer."""
        with explained(self.url):
            async with self.engine.connect() as connection:
                tx = await connection.execution_options(keyrail_read=True)
                async with tx.begin():
                    yield tx

    @asynccontextmanager
    async def durable(self) -> AsyncIterator[Store]:
        """Open the same database for what must outlive a loss of power; PostgreSQL keeps all of it so anyway."""
        if self.path is None:
            yield self
            return
        beside = create_store(self.url, durable=True)
        try:
            yield beside
        finally:
            await beside.close()

    @asynccontextmanager
    async def lock(self, name: str, *, patience: float = 0.0) -> AsyncIterator[None]:
        """Hold the lock of a connection; raise LockedError that says who holds it after `patience` seconds.

        Released by the operating system or the server when the process dies.
        """
        deadline = asyncio.get_running_loop().time() + patience
        while True:
            async with AsyncExitStack() as stack:
                try:
                    await stack.enter_async_context(self._try_lock(name))
                except LockedError:
                    if asyncio.get_running_loop().time() >= deadline:
                        raise
                else:
                    yield
                    return
            await asyncio.sleep(0.1)

    @asynccontextmanager
    async def _try_lock(self, name: str) -> AsyncIterator[None]:
        holder = f"process {os.getpid()} on {os.uname().nodename}"
        if self.path is not None:
            with file_lock(self.path.parent / "locks" / f"{name}.lock", name, holder):
                yield
        else:
            async with self._advisory_lock(name):
                yield

    @asynccontextmanager
    async def _advisory_lock(self, name: str) -> AsyncIterator[None]:
        key = int.from_bytes(hashlib.sha256(f"keyrail:{name}".encode()).digest()[:8], "big", signed=True)
        async with AsyncExitStack() as stack:
            with explained(self.url):
                connection = await stack.enter_async_context(self.engine.connect())
                session = await connection.execution_options(isolation_level="AUTOCOMMIT")
                if not await session.scalar(text("select pg_try_advisory_lock(:key)"), {"key": key}):
                    holder = await session.scalar(text(HOLDER), {"key": key})
                    raise held(name, str(holder or "another session"))
            try:
                yield
            finally:
                with explained(self.url):
                    await session.execute(text("select pg_advisory_unlock(:key)"), {"key": key})

    async def close(self) -> None:
        """Close all database connections."""
        await self.engine.dispose()


OF_ALL = ("publish", "serve")
"""locks that are of no one connection"""

HOLDER = (
    "select a.application_name || ', session ' || l.pid from pg_locks l join pg_stat_activity a using (pid)"
    " where l.locktype = 'advisory' and l.granted and l.database = (select oid from pg_database where datname ="
    " current_database()) and (l.classid::bigint << 32 | l.objid::bigint) = :key limit 1"
)


def held(name: str, holder: str) -> LockedError:
    """Say by whom a lock is held."""
    what = "another pull is running" if name not in OF_ALL else "another process is at it"
    return LockedError(f"{name}: {what} ({holder}). Wait for it to end, or stop it, and run again.")


@contextmanager
def file_lock(path: Path, name: str, holder: str) -> Iterator[None]:
    """Hold an exclusive `flock` on a file beside the database; the file tells others who holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            raise held(name, handle.read().strip() or "another process") from None
        handle.truncate(0)
        handle.write(holder)
        handle.flush()
        try:
            yield
        finally:
            handle.truncate(0)


def async_url(url: str) -> str:
    """Name the async driver: `sqlite:///FILE` and `postgresql://…` are what people write."""
    for plain, driver in (("sqlite://", "sqlite+aiosqlite://"), ("postgresql://", "postgresql+psycopg://")):
        if url.startswith(plain):
            return driver + url.removeprefix(plain)
    if url.startswith("postgres://"):
        return "postgresql+psycopg://" + url.removeprefix("postgres://")
    if url.startswith(("sqlite+aiosqlite://", "postgresql+psycopg://")):
        return url
    raise StorageError("KEYRAIL_DATABASE_URL must begin with sqlite:/// or postgresql://")


def create_store(url: str, *, durable: bool = False) -> Store:
    """Make the engine for a URL without touching the database; see `open_store`.

    What is committed to SQLite outlives the process; with `durable` also the power, for what nobody would send again.
    """
    parsed = make_url(async_url(url))
    if parsed.get_backend_name() == "postgresql":
        engine = create_async_engine(
            parsed,
            json_serializer=dumps,
            json_deserializer=orjson.loads,
            pool_pre_ping=True,
            pool_size=10,
            max_overflow=30,  # each lock that is held keeps a session
            connect_args={"application_name": f"keyrail {os.getpid()} on {os.uname().nodename}"},
        )
        return Store(url=url, engine=engine, path=None)
    if not parsed.database or parsed.database == ":memory:":
        raise StorageError("KEYRAIL_DATABASE_URL: SQLite needs a file, such as sqlite:///.keyrail/keyrail.db")
    path = Path(parsed.database)
    with explained(url):
        path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(parsed, json_serializer=dumps, json_deserializer=loads)
    event.listen(engine.sync_engine, "connect", set_pragmas)
    if durable:
        event.listen(engine.sync_engine, "connect", sync_each_commit)
    event.listen(engine.sync_engine, "begin", begin_sqlite)
    return Store(url=url, engine=engine, path=path)


def set_pragmas(connection: Any, _record: object) -> None:  # Any: SQLAlchemy's adapter of the aiosqlite connection
    """Set what SQLite forgets between connections; transactions are begun by `begin_sqlite` alone."""
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "busy_timeout=30000",
        "foreign_keys=ON",
        "cache_size=-16000",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def sync_each_commit(connection: Any, _record: object) -> None:  # Any: as in `set_pragmas`
    """Have each commit wait until it is on the disk."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def begin_sqlite(connection: SyncConnection) -> None:
    """Take the write lock at the start of a writing transaction, so that read-modify-write never loses."""
    reading = connection.get_execution_options().get("keyrail_read", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def shown_url(url: str) -> str:
    """Return a database URL as it may be shown: without its password."""
    return make_url(async_url(url)).set(drivername=url.partition(":")[0]).render_as_string(hide_password=True)


async def open_store(url: str) -> Store:
    """Open a database that is ready to use.

    An empty database is set up; an older SQLite file is upgraded in place. Raises StorageError where a
    person must act: PostgreSQL behind the code (`keyrail db upgrade`), or a database ahead of it.
    """
    async with AsyncExitStack() as unless_ready:
        store = create_store(url)
        unless_ready.push_async_callback(store.close)
        await make_ready(store)
        unless_ready.pop_all()
        return store


async def make_ready(store: Store) -> None:
    """Bring a database to this version's schema where nobody needs to be asked; raises as `open_store` says."""
    found = await revision(store)
    if found == REVISION:
        return
    if found is not None and found > REVISION:
        raise NewerSchemaError(
            f"The database is at revision {found}, newer than this Keyrail knows ({REVISION})."
            " Upgrade Keyrail; the database was not touched."
        )
    if found is not None and store.path is None:
        raise StorageError(
            f"The database is at revision {found}, this Keyrail needs {REVISION}. Run: keyrail db upgrade"
        )
    await upgrade(store)


async def revision(store: Store) -> str | None:
    """Return the database's migration, None where it is empty."""
    with explained(store.url):
        async with store.engine.connect() as connection:
            tx = await connection.execution_options(keyrail_read=True)
            async with tx.begin():
                there = await tx.run_sync(lambda sync: sync.dialect.has_table(sync, "alembic_version"))
                if not there:
                    return None
                found = await tx.scalar(text("select version_num from alembic_version"))
                return str(found) if found else None


async def upgrade(store: Store) -> None:
    """Bring the schema to `REVISION`; two processes at once do it once."""
    from storage.migrate import run_upgrade

    with explained(store.url):
        async with store.engine.connect() as connection:
            if store.path is None:
                await connection.execute(text("select pg_advisory_lock(hashtextextended('keyrail:migrate', 0))"))
                await connection.commit()
            async with connection.begin():
                await connection.run_sync(run_upgrade)
            if store.path is None:
                await connection.execute(text("select pg_advisory_unlock(hashtextextended('keyrail:migrate', 0))"))
                await connection.commit()


@contextmanager
def explained(url: str) -> Iterator[None]:
    """Turn the driver's errors into sentences that say what to do."""
    try:
        yield
    except DBAPIError as error:
        explain(url, error)
    except (sqlite3.OperationalError, OSError) as error:
        explain(url, error)


def explain(url: str, error: Exception) -> NoReturn:
    """Raise StorageError for a driver's error, or the error itself where it is not the database's state.

    A value that the database has no room for, such as PostgreSQL for a NUL in a text, is a PayloadError.
    """
    said = str(getattr(error, "orig", None) or error)
    if isinstance(error, DataError):
        raise PayloadError(f"the database cannot hold a value of it: {said.splitlines()[0]}") from error
    where = (
        make_url(async_url(url)).render_as_string(hide_password=True).replace("+aiosqlite", "").replace("+psycopg", "")
    )
    for sign, advice in SIGNS.items():
        if sign in said.lower():
            raise StorageError(f"Database {where}: {said.splitlines()[0]}. {advice}") from error
    raise error


SIGNS = {
    "disk is full": "Free some space and run again: everything committed so far is kept.",
    "no space left": "Free some space and run again: everything committed so far is kept.",
    "disk i/o error": "Check the disk and run again: everything committed so far is kept.",
    "readonly": "Give this user the right to write the file and its folder.",
    "read-only": "Give this user the right to write the file and its folder.",
    "unable to open database": "Check that the folder exists and that this user may write to it.",
    "permission denied": "Check the rights of this user on it.",
    "not a database": "The file is something else: name another in KEYRAIL_DATABASE_URL.",
    "malformed": "The file is damaged: restore a backup, or move it away and run keyrail backfill.",
    "database is locked": "Another process is writing for longer than 30 seconds. Run again when it is done.",
    "connection refused": "Is the server running, and are host and port right?",
    "password authentication": "Check user and password in KEYRAIL_DATABASE_URL.",
    "could not translate host": "Check the host in KEYRAIL_DATABASE_URL.",
    "does not exist": "Create it, or correct KEYRAIL_DATABASE_URL.",
    "server closed the connection": "The server went away or was restarted. Try again.",
    "terminating connection": "The server went away or was restarted. Try again.",
    "connection is lost": "The server went away or was restarted. Try again.",
    "starting up": "Wait until the server is up, and try again.",
    "shutting down": "Wait until the server is up, and try again.",
    "too many clients": "Raise max_connections of the server, or run fewer processes.",
    "remaining connection slots": "Raise max_connections of the server, or run fewer processes.",
    "timeout expired": "Is the server reachable from here?",
    "connection failed": "Is the server running, and are host, port, user and password right?",
}
