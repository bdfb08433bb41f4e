"""The endpoint that everybody would write, which the receiver is held against: one row and one commit a request.

It makes the receiver's promise and no other: the signature is checked, and the commit is on the disk before the answer.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import aiosqlite
from psycopg_pool import AsyncConnectionPool
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.github.webhook import delivery_id, event_of, verify
from domain.errors import SignatureError

TABLE = "bench_plain"
COLUMNS = "connection, delivery_id, event, received_at, body"
SESSIONS = 10
"""sessions at PostgreSQL; with fewer or many more the endpoint is no faster"""
Row = tuple[str, str, str, float, bytes]
Keep = Callable[[Row], Awaitable[object]]


@asynccontextmanager
async def keeping(url: str) -> AsyncIterator[Keep]:
    """Make a table of deliveries in a database, and yield what commits a row to it."""
    if url.startswith("sqlite:///"):
        async with aiosqlite.connect(url.removeprefix("sqlite:///"), isolation_level=None) as db:
            await db.execute("pragma journal_mode=wal")
            await db.execute("pragma synchronous=full")
            await db.execute(_table("integer primary key", "blob"))
            insert = _insert("?")
            yield lambda row: db.execute(insert, row)
        return
    async with AsyncConnectionPool(url, min_size=SESSIONS, open=False, kwargs={"autocommit": True}) as pool:
        async with pool.connection() as session:
            await session.execute(_table("bigserial primary key", "bytea").encode())
        statement = _insert("%s").encode()

        async def keep(row: Row) -> None:
            async with pool.connection() as session:
                await session.execute(statement, row)

        yield keep


def _table(key: str, bytes_: str) -> str:
    return (
        f"create table if not exists {TABLE} (id {key}, connection text, delivery_id text, event text,"
        f" received_at double precision, body {bytes_}, unique (connection, delivery_id))"
    )


def _insert(value: str) -> str:
    return f"insert into {TABLE} ({COLUMNS}) values ({', '.join([value] * 5)}) on conflict do nothing"


def endpoint(name: str, secret: str, keep: Keep) -> Starlette:
    """Return the application: webhooks of GitHub at the receiver's address, those of one connection."""

    async def receive(request: Request) -> Response:
        body = await request.body()
        try:
            verify(request.headers, body, secret, datetime.now(UTC))
        except SignatureError as error:
            return JSONResponse({"error": str(error)}, 401)
        await keep((name, delivery_id(request.headers, body), event_of(request.headers), time.time(), body))
        return JSONResponse({"status": "accepted"})

    return Starlette(routes=[Route("/webhooks/{connection}", receive, methods=["POST"])])
