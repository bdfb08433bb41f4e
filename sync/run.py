"""Whole runs over several connections: backfill, sync, census; one broken connection never stops another.

Each connection is pulled side by side with the others; the numbers are computed once, when all are done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

from domain.errors import KeyrailError
from storage import checkpoints, inbox
from storage import items as store
from sync.backfill import finish, pull_past, pull_present, settle_absent
from sync.census import Census, take
from sync.context import Context, Live
from sync.ingest import Ingested
from sync.poll import WATERMARK, Pulled, pull
from sync.refresh import MAPPED, rebuild, refresh, settle_all

Step = Callable[[Live], Awaitable[Pulled]]

UNFINISHED = "unfinished"
"""the note that items may have moved which no rollup has seen, with the digest of the file that mapped them"""
REMAP = "remap"

WORTH_A_REBUILD = 2000
"""moved items from which re-computing everything is cheaper than what each can reach"""


async def backfill(
    context: Context,
    sources: Mapping[str, Live],
    *,
    history: bool = True,
    restart: bool = False,
    since: datetime | None = None,
) -> list[Pulled]:
    """Read everything in scope, the present first, then the past; the numbers are there after the present."""

    async def present(source: Live) -> Pulled:
        if since is not None:
            return await pull(
                context, source, {"updated_ms": int(since.timestamp() * 1000)}, history=False, moves=False
            )
        return await pull_present(context, source, restart=restart)

    await mark_unfinished(context)
    pulls = await side_by_side(context, sources, present)
    await settle(context, whole=True)
    if history:

        async def past(source: Live) -> Pulled:
            pulled = pulls[source.name]
            if pulled.error is None:
                await pull_past(context, source, pulled, since)
            return pulled

        await mark_unfinished(context)
        pulls = await side_by_side(context, sources, past, pulls)
        await settle(context, whole=True)
    for name, pulled in pulls.items():
        if pulled.error is None and since is None:
            await finish(context, sources[name], pulled)
    return list(pulls.values())


async def sync(context: Context, sources: Mapping[str, Live]) -> list[Pulled]:
    """Read what changed since last time, and what that changes; a connection that was never read is read whole."""

    async def changes(source: Live) -> Pulled:
        async with context.store.read() as tx:
            watermark = await checkpoints.load(tx, source.name, WATERMARK)
            state = await checkpoints.load(tx, source.name, "backfill")
        if watermark is None or state is None or state.get("digest") != source.reading.digest:
            pulled = await pull_present(context, source)
            await pull_past(context, source, pulled, None)
            await finish(context, source, pulled)
            return pulled
        pulled = await pull(context, source, watermark)
        await settle_absent(context, source, pulled, pulled.absent)
        return pulled

    unfinished = await mark_unfinished(context)
    pulls = await side_by_side(context, sources, changes)
    moved = Ingested()
    for pulled in pulls.values():
        moved.add(pulled.ingested)
    anew = any(pulled.error is not None or pulled.whole for pulled in pulls.values())
    await settle(context, whole=unfinished or anew or len(moved.moved) > WORTH_A_REBUILD, moved=moved)
    return list(pulls.values())


async def census(
    context: Context, sources: Mapping[str, Live], *, repair: bool
) -> tuple[list[Census], dict[str, KeyrailError]]:
    """Compare ids with each tracker; with `repair` mend what differs."""
    found: list[Census] = []
    errors: dict[str, KeyrailError] = {}
    unfinished = repair and await mark_unfinished(context)
    for name, source in sources.items():
        try:
            found.append(await take(context, source, repair=repair))
        except KeyrailError as error:
            errors[name] = error
    moved = Ingested()
    for one in found:
        moved.add(one.ingested)
    if repair:
        whole = unfinished or bool(errors) or len(moved.moved) > WORTH_A_REBUILD
        await settle(context, whole=whole, moved=moved)
    return found, errors


async def settle(context: Context, *, whole: bool, moved: Ingested | None = None) -> None:
    """Bring the numbers up to date with the items, in one transaction, and note that they are."""
    async with context.store.write() as tx:
        mapped = await checkpoints.note(tx, MAPPED)
        if await checkpoints.note(tx, UNFINISHED) == REMAP or (mapped and mapped["digest"] != context.workspace.digest):
            await rebuild(tx, context)
        elif whole or moved is None or mapped is None:
            await settle_all(tx, context)
        else:
            await refresh(tx, context, moved)
        await checkpoints.save_note(tx, UNFINISHED, None)


async def mark_unfinished(context: Context) -> bool:
    """Note that items are about to move, by which file; return whether an earlier run died before the numbers.

    A run that dies is made good by the next one: all is computed again, and mapped again if the file changed.
    """
    async with context.store.write() as tx:
        before = await checkpoints.note(tx, UNFINISHED)
        mine = context.workspace.digest
        await checkpoints.save_note(tx, UNFINISHED, mine if before in (None, mine) else REMAP)
    return before is not None


async def side_by_side(
    context: Context, sources: Mapping[str, Live], step: Step, before: Mapping[str, Pulled] | None = None
) -> dict[str, Pulled]:
    """Take one step for each connection; what stops one is kept as its error."""

    async def one(source: Live) -> Pulled:
        began = asyncio.get_running_loop().time()
        try:
            pulled = await step(source)
        except KeyrailError as error:
            pulled = (before or {}).get(source.name) or Pulled(connection=source.name, started_at=context.now())
            pulled.error = error
        pulled.requests = source.client.requests
        pulled.seconds += asyncio.get_running_loop().time() - began
        return pulled

    pulls = await asyncio.gather(*(one(source) for source in sources.values()))
    return {pulled.connection: pulled for pulled in pulls}


async def outcome(context: Context, pulls: list[Pulled], errors: Mapping[str, KeyrailError]) -> list[dict[str, object]]:
    """Return what the runs did as documents, one a connection; `errors` are of those that could not be opened."""
    async with context.store.read() as tx:
        stored = await store.counts(tx)
        parked = await inbox.parked_counts(tx)
        complete = await checkpoints.of_stream(tx, "complete_to")
    return [
        {
            "connection": pulled.connection,
            "items": stored.get(pulled.connection, 0),
            "read": pulled.ingested.items,
            "expected": pulled.expected,
            "requests": pulled.requests,
            "seconds": round(pulled.seconds, 3),
            "deleted": pulled.deleted,
            "moved": pulled.moved,
            "inaccessible": pulled.inaccessible,
            "parked": parked.get(pulled.connection, 0),
            "history": pulled.history,
            "error": str(pulled.error) if pulled.error else None,
            "complete_to": complete.get(pulled.connection),
        }
        for pulled in pulls
    ] + [
        {"connection": name, "items": stored.get(name, 0), "error": str(error), "complete_to": complete.get(name)}
        for name, error in errors.items()
    ]
