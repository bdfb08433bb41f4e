"""Where the service's jobs are done: the workspace in force, its connections kept open, swapped when the file changes.

What the jobs do is in `sync.work`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from app.bootstrap import in_sight, open_one, read_settings
from connectors.http import Client
from connectors.registry import CONNECTORS
from sync.context import Context, Live
from sync.jobs import Jobs


@dataclass(slots=True)
class Edition:
    """One version of the workspace with the connections opened for it, closed when nobody uses them any more."""

    context: Context
    clients: dict[str, Client] = field(default_factory=dict)
    opening: dict[str, asyncio.Lock] = field(default_factory=dict)
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    users: int = 0
    retired: bool = False

    async def client(self, name: str, secret_key: str | None) -> Client:
        """Return the open client of a connection, opening it the first time."""
        async with self.opening.setdefault(name, asyncio.Lock()):
            if name not in self.clients:
                connection = self.context.workspace.connections[name]
                opening = open_one(self.context, connection, secret_key)
                self.clients[name] = await self.stack.enter_async_context(opening)
            return self.clients[name]

    async def leave(self) -> None:
        """Close the connections once nobody uses a retired edition."""
        if self.retired and self.users == 0:
            await self.stack.aclose()


class Worker:
    """The room in which jobs are done (`sync.work.Room`)."""

    def __init__(self, context: Context, jobs: Jobs, soon: Callable[[str, str], None], secret_key: str | None) -> None:
        self.jobs = jobs
        self.soon = soon
        self._secret_key = secret_key
        self._edition = Edition(context=context)

    @property
    def context(self) -> Context:
        """The workspace in force, over the store."""
        return self._edition.context

    @property
    def clients(self) -> dict[str, Client]:
        """The clients that are open, by connection."""
        return dict(self._edition.clients)

    @asynccontextmanager
    async def source(self, name: str, *, rediscover: bool = False) -> AsyncIterator[Live]:
        """Open a connection, or take the open one, for as long as the block runs; raises what opening raises."""
        edition = self._edition
        edition.users += 1
        try:
            connection = edition.context.workspace.connections[name]
            client = await edition.client(name, self._secret_key)
            connector = CONNECTORS[connection.type]
            reading = await read_settings(edition.context, connection, connector, client, rediscover=rediscover)
            visible = in_sight(connection, reading)
            yield Live(connection=visible, connector=connector, client=client, reading=reading)
        finally:
            edition.users -= 1
            await edition.leave()

    async def adopt(self, context: Context) -> None:
        """Put another version of the workspace in force; jobs that run end with the one that they began with."""
        before = self._edition
        self._edition = Edition(context=context)
        before.retired = True
        await before.leave()

    async def close(self) -> None:
        """Close all connections."""
        self._edition.retired = True
        await self._edition.stack.aclose()
