"""One pull of one connection: what changed since its watermark, and the past of what changed.

The watermark moves in the transaction that stores the last page, so a pull that dies is simply done again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import uuid4

from connectors.base import Json, Page
from domain.errors import KeyrailError
from storage import checkpoints, inbox
from storage import items as store
from sync.context import Context, Live
from sync.ingest import Ingested, drain, finish_history, ingest, put, receive, receiving

WATERMARK = "changes"
COMPLETE = "complete_to"
HISTORY_BATCH = 4000
HISTORY_CHUNK = 500


@dataclass(slots=True)
class Pulled:
    """What one pull of one connection did; `error` is what stopped it, if anything did.

    `absent` are ids that the tracker named or we asked for, and did not get.
    """

    connection: str
    started_at: datetime
    ingested: Ingested = field(default_factory=Ingested)
    absent: list[str] = field(default_factory=list)
    expected: int | None = None
    history: int = 0
    requests: int = 0
    seconds: float = 0.0
    deleted: int = 0
    moved: int = 0
    inaccessible: int = 0
    error: KeyrailError | None = None


def run_id() -> str:
    """Return a name for one run, which the ids of its pages begin with."""
    return uuid4().hex[:12]


async def pull(
    context: Context,
    source: Live,
    watermark: Json,
    *,
    history: bool = True,
    moves: bool = True,
    most: int | None = None,
) -> Pulled:
    """Read what changed since a watermark, and its history; raises the tracker's errors, with what was read kept.

    `moves` says that the sweep goes on where the last one ended, so that the watermark moves with it. A past that
    comes along with the changes is taken in before it does. The past of more than `most` items is left to whoever
    reads it beside (`work.history`).
    """
    pulled = Pulled(connection=source.name, started_at=context.now())
    run = run_id()
    context.watcher.stage(source.name, "changes", None)
    pulled.ingested.add(await drain(context, source))
    async for page in source.connector.changes(source.client, source.connection, source.reading, watermark):
        if page.cursor is not None:
            await date(context, source, pulled.ingested, sorted(pulled.ingested.past), read=False)
        if moves:
            pulled.ingested.add(await receive_and_move(context, source, page, run, pulled.started_at))
        else:
            pulled.ingested.add(await receive(context, source, page, run))
        pulled.absent += page.missing
        context.watcher.advance(source.name, page.items if page.kind == "items" else 0)
    pulled.absent += await refetch(context, source, pulled.ingested)
    context.watcher.done(source.name)
    if history:
        pulled.history += await pull_history(context, source, pulled.ingested, most=most)
    return pulled


async def receive_and_move(context: Context, source: Live, page: Page, run: str, started_at: datetime) -> Ingested:
    """Store a page and, where it ends the sweep, the watermark with it; then read it."""
    packed = await asyncio.to_thread(inbox.pack, page.body)
    async with context.store.write() as tx:
        delivery = await put(tx, source, page, packed, run)
        if page.cursor is not None:
            await checkpoints.save(tx, source.name, WATERMARK, page.cursor)
            await checkpoints.save(tx, source.name, COMPLETE, started_at)
    if delivery is None:
        return Ingested()
    return await ingest(context, source, delivery, page)


async def fetch(context: Context, source: Live, ids: list[str], done: Ingested) -> list[str]:
    """Read items again by id; return those that the tracker did not answer."""
    run = run_id()
    absent: list[str] = []
    async for page in source.connector.fetch(source.client, source.connection, source.reading, ids):
        done.add(await receive(context, source, page, run))
        absent += page.missing
    return absent


async def refetch(context: Context, source: Live, done: Ingested) -> list[str]:
    """Read again what is to be read again; return those that the tracker did not answer."""
    ids, done.refetch = sorted(done.refetch), set()
    return await fetch(context, source, ids, done) if ids else []


async def pull_history(
    context: Context, source: Live, done: Ingested, since: datetime | None = None, most: int | None = None
) -> int:
    """Read the past of every item whose stored history is older than the item; return of how many.

    Resumes where it stopped. Where that are more than `most` items, none is read.
    """
    if most is not None and await lacks_past(context, source, more_than=most):
        return 0
    after = ""
    run = run_id()
    asked = 0
    while True:
        async with context.store.read() as tx:
            ids = await store.without_history(tx, source.name, since=since, after=after, limit=HISTORY_BATCH)
            reached = await store.updated(tx, source.name, ids)
        if not ids:
            break
        if not asked:
            context.watcher.stage(source.name, "history", None)
        unseen: set[str] = set()
        pages = noted(source.connector.history(source.client, source.connection, source.reading, ids), unseen)
        async with receiving(context, source, pages, f"{run}/{after}") as received:
            async for page in received:
                done.add(page)
        for start in range(0, len(ids), HISTORY_CHUNK):
            part = ids[start : start + HISTORY_CHUNK]
            await date(context, source, done, part, reached=reached, unseen=unseen)
            context.watcher.advance(source.name, len(part))
        asked += len(ids)
        after = ids[-1]
    if asked:
        context.watcher.done(source.name)
    return asked


async def lacks_past(context: Context, source: Live, *, more_than: int = 0) -> bool:
    """Tell whether the stored history of more items than so many is older than they are."""
    async with context.store.read() as tx:
        return len(await store.without_history(tx, source.name, since=None, after="", limit=more_than + 1)) > more_than


def aside(source: Live) -> Live:
    """Return a connection for what can wait: a poll, or what a webhook names, is never behind it."""
    return replace(source, client=source.client.aside())


async def noted(pages: AsyncIterator[Page], unseen: set[str]) -> AsyncIterator[Page]:
    """Hand on pages; note the ids that were asked for and not answered."""
    async for page in pages:
        unseen.update(page.missing)
        yield page


async def date(
    context: Context,
    source: Live,
    done: Ingested,
    ids: list[str],
    *,
    read: bool = True,
    reached: Mapping[str, datetime] | None = None,
    unseen: Collection[str] = (),
) -> None:
    """Give items the dates that their stored past proves; `read` and what follows are those of `finish_history`."""
    for start in range(0, len(ids), HISTORY_CHUNK):
        part = ids[start : start + HISTORY_CHUNK]
        async with context.store.alone() as tx:
            dated = await finish_history(tx, context, source, part, read=read, reached=reached, unseen=unseen)
        done.moved |= dated.moved
        done.initiatives |= dated.initiatives
