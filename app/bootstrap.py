"""From settings to a working road: the only place where store, clients, connectors and rules are put together."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import orjson

from connectors.base import Connector, Reading
from connectors.http import Client
from connectors.ratelimit import Signal
from connectors.registry import CONNECTORS, open_connection
from domain.errors import KeyrailError, UsageError
from domain.workspace import Connection, Workspace
from storage import checkpoints
from storage.engine import Store, open_store
from sync.context import Context, Live, Silent, Source, Watcher
from sync.mapping import compile_mapping

READING = "reading"
FRESH = timedelta(hours=24)
"""how long what discovery found is taken for true by pulls of what changed"""


@dataclass(frozen=True, slots=True)
class KeptTokens:
    """Tokens that a vendor issued to us, kept in the store (`connectors.tokens.TokenStore`)."""

    store: Store

    async def load(self, connection: str) -> bytes | None:
        """Return the sealed tokens of a connection."""
        async with self.store.read() as tx:
            return await checkpoints.issued_token(tx, connection)

    async def save(self, connection: str, sealed: bytes) -> None:
        """Keep the sealed tokens of a connection."""
        async with self.store.write() as tx:
            await checkpoints.save_issued_token(tx, connection, sealed)

    def lock(self, connection: str) -> AbstractAsyncContextManager[None]:
        """Let one process at a time refresh; the others wait for what it gets."""
        return self.store.lock(f"{connection}.tokens", patience=60)


@asynccontextmanager
async def open_context(
    workspace: Workspace, database_url: str, watcher: Watcher | None = None, *, public_url: str | None = None
) -> AsyncIterator[Context]:
    """Open the store for a workspace; links in published texts start with `public_url`."""
    store = await open_store(database_url)
    try:
        yield Context(
            store=store,
            workspace=workspace,
            mapper=compile_mapping(workspace),
            watcher=watcher or Silent(),
            public_url=public_url,
        )
    finally:
        await store.close()


@dataclass(slots=True)
class Opened:
    """The connections that could be opened, and why the others could not."""

    sources: dict[str, Live] = field(default_factory=dict)
    errors: dict[str, KeyrailError] = field(default_factory=dict)


@asynccontextmanager
async def open_sources(
    context: Context, names: Iterable[str], *, secret_key: str | None, rediscover: bool, locked: bool = True
) -> AsyncIterator[Opened]:
    """Open connections, each with its lock held where it will be pulled; one that fails does not stop the others."""
    opened = Opened()
    async with AsyncExitStack() as stack:
        for name in names:
            connection = context.workspace.connections[name]
            try:
                if locked:
                    await stack.enter_async_context(context.store.lock(name))
                client = await stack.enter_async_context(open_one(context, connection, secret_key))
                connector = CONNECTORS[connection.type]
                reading = await read_settings(context, connection, connector, client, rediscover=rediscover)
                visible = in_sight(connection, reading)
                opened.sources[name] = Live(connection=visible, connector=connector, client=client, reading=reading)
            except KeyrailError as error:
                opened.errors[name] = error
        yield opened


def open_one(context: Context, connection: Connection, secret_key: str | None) -> AbstractAsyncContextManager[Client]:
    """Open the client of a connection; waits and answers are told to the context's watcher."""

    def on_wait(reason: str, until: datetime) -> None:
        context.watcher.wait(connection.name, reason, until)

    def on_answer(status: int | None, seconds: float, signal: Signal) -> None:
        context.watcher.answered(connection.name, status, seconds, signal)

    if connection.type not in CONNECTORS:
        raise UsageError(
            f"{connection.name}: this version has no connector for '{connection.type}'."
            f" It has: {', '.join(CONNECTORS)}."
        )
    return open_connection(
        connection,
        store=KeptTokens(context.store),
        secret_key=secret_key,
        on_wait=on_wait,
        on_answer=on_answer,
    )


async def read_settings(
    context: Context, connection: Connection, connector: Connector, client: Client, *, rediscover: bool
) -> Reading:
    """Return what discovery found out about a connection, from the store while it is fresh and the file the same."""
    settings = settings_digest(connection)
    async with context.store.read() as tx:
        kept = await checkpoints.load(tx, connection.name, READING)
    before = Reading(facts=kept["facts"], account=kept["account"], digest=kept["digest"]) if kept is not None else None
    known = kept is not None and not rediscover and kept["settings"] == settings
    if known and context.now() - datetime.fromisoformat(kept["at"]) < FRESH:
        return Reading(facts=kept["facts"], account=kept["account"], digest=kept["digest"])
    reading = await connector.discover(client, connection, before)
    async with context.store.write() as tx:
        await checkpoints.save(
            tx,
            connection.name,
            READING,
            {
                "facts": dict(reading.facts),
                "account": reading.account,
                "digest": reading.digest,
                "settings": settings,
                "at": context.now(),
            },
        )
    return reading


def in_sight(connection: Connection, reading: Reading) -> Connection:
    """Return the connection without what it lost from sight: naming it would fail every search."""
    lost = reading.lost
    if not lost:
        return connection
    seen = {
        key: [name for name in names if name not in lost.get(key, ())] if isinstance(names, list | tuple) else names
        for key, names in connection.scope.items()
    }
    return replace(connection, scope=seen)


async def kept_reading(context: Context, connection: Connection) -> Reading:
    """Return what discovery once found out, or the connector's defaults; asks no tracker."""
    async with context.store.read() as tx:
        kept = await checkpoints.load(tx, connection.name, READING)
    if kept is not None:
        return Reading(facts=kept["facts"], account=kept["account"], digest=kept["digest"])
    return CONNECTORS[connection.type].defaults(connection)


def settings_digest(connection: Connection) -> str:
    """Return a digest of the settings that discovery depends on; credentials and rhythm are not among them."""
    said: Mapping[str, object] = {
        "url": connection.url,
        "deployment": connection.deployment,
        "scope": connection.scope,
        "estimate": connection.estimate,
        "status": connection.status,
        "epics": connection.epics,
        "fields": connection.fields,
    }
    return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS, default=dict)).hexdigest()


async def open_offline(context: Context) -> dict[str, Source]:
    """Return the connections as they were last discovered, for what asks no tracker."""
    sources = {}
    for name, connection in context.workspace.connections.items():
        if connection.type in CONNECTORS:
            sources[name] = Source(
                connection=connection,
                connector=CONNECTORS[connection.type],
                reading=await kept_reading(context, connection),
            )
    return sources
