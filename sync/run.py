"""Whole runs over several connections: backfill, sync, census; one broken connection never stops another.

Each connection is pulled side by side with the others; the numbers are computed once, when all are done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from connectors.base import Json
from domain.errors import KeyrailError, is_lasting
from storage import checkpoints, dirty, inbox
from storage import items as store
from sync.backfill import STATE, finish, pull_past, pull_present, settle_absent
from sync.census import Census, take
from sync.context import Context, Live
from sync.ingest import MAPPED, Ingested, in_force, remap_refs
from sync.poll import WATERMARK, Pulled, aside, pull, pull_history
from sync.refresh import rebuild, refresh, settle_all

Step = Callable[[Live], Awaitable[Pulled]]

UNCOUNTED = "uncounted"
"""the checkpoint of a connection whose items moved without a note, until everything is computed anew"""

WORTH_A_REBUILD = 2000
"""notes of what moved from which computing everything is cheaper than what each can reach"""


async def backfill(
    context: Context,
    sources: Mapping[str, Live],
    *,
    history: bool = True,
    restart: bool = False,
    since: datetime | None = None,
) -> list[Pulled]:
    """Read everything in scope, the present first, then the past; the numbers are there after the present."""
    unnoted = replace(context, computes_all=True)

    async def present(source: Live) -> Pulled:
        if since is not None:
            return await pull(
                unnoted, source, {"updated_ms": int(since.timestamp() * 1000)}, history=False, moves=False
            )
        return await pull_present(unnoted, source, restart=restart)

    await mark_uncounted(context, sources)
    pulls = await side_by_side(context, sources, present)
    await settle(context, whole=sources)
    if history:

        async def past(source: Live) -> Pulled:
            pulled = pulls[source.name]
            if pulled.error is None:
                await pull_past(unnoted, source, pulled, since)
            return pulled

        await mark_uncounted(context, sources)
        pulls = await side_by_side(context, sources, past, pulls)
        await settle(context, whole=sources)
    for name, pulled in pulls.items():
        if pulled.error is None and since is None:
            await finish(context, sources[name], pulled)
    return list(pulls.values())


async def sync(context: Context, sources: Mapping[str, Live], *, most: int | None = None) -> list[Pulled]:
    """Read what changed since last time, and what that changes; a connection that was never read is read whole.

    Where the past of more than `most` items is lacking, it is left to `history`.
    """
    watermarks: dict[str, Json] = {}
    uncounted: set[str] = set()
    async with context.store.read() as tx:
        for name, source in sources.items():
            state = await checkpoints.load(tx, name, STATE)
            if state is not None and state.get("digest") == source.reading.digest:
                watermarks[name] = await checkpoints.load(tx, name, WATERMARK)
            if await checkpoints.load(tx, name, UNCOUNTED):
                uncounted.add(name)
    known = {name: source for name, source in sources.items() if watermarks.get(name) is not None}
    new = {name: source for name, source in sources.items() if name not in known}

    async def changes(source: Live) -> Pulled:
        pulled = await pull(context, source, watermarks[source.name], most=most)
        await settle_absent(context, source, pulled, pulled.absent)
        return pulled

    async def changed() -> list[Pulled]:
        pulls = await side_by_side(context, known, changes)
        await settle(context, whole=uncounted & known.keys())
        return list(pulls.values())

    if not new:
        return await changed()
    if not known:
        return await backfill(context, new, history=most is None)
    both = await asyncio.gather(changed(), backfill(context, new, history=most is None))
    return [pulled for pulls in both for pulled in pulls]


async def history(context: Context, source: Live) -> int:
    """Read the past that is lacking, behind whatever else is asked of the tracker; return of how many items.

    The numbers follow. The connection may be pulled meanwhile: what changes then is read again.
    """
    done = Ingested()
    try:
        return await pull_history(context, aside(source), done)
    finally:
        await settle(context)


async def census(
    context: Context, sources: Mapping[str, Live], *, repair: bool
) -> tuple[list[Census], dict[str, KeyrailError]]:
    """Compare ids with each tracker; with `repair` mend what differs."""
    found: list[Census] = []
    errors: dict[str, KeyrailError] = {}
    for name, source in sources.items():
        try:
            found.append(await take(context, source, repair=repair))
        except KeyrailError as error:
            errors[name] = error
    if repair:
        await settle(context)
    return found, errors


async def settle(context: Context, *, whole: Collection[str] = ()) -> set[str]:
    """Bring the numbers up to date with the items, in one transaction; return the subjects that were computed.

    `whole` are connections whose items moved without a note: everything is computed anew. Where the store was mapped
    with another file it is mapped again, or (`Context.adopts`) all is left to who has that file.
    """
    async with context.store.alone() as tx:
        if not await in_force(tx, context):
            if not context.adopts:
                return set()
            computed = await rebuild(tx, context)
        else:
            mapped = await checkpoints.note(tx, MAPPED)
            many = await dirty.count(tx) > WORTH_A_REBUILD
            found = await dirty.take(tx)
            done = Ingested(moved=found.items, loose=found.loose, initiatives=found.initiatives)
            if found.unmapped:
                done.add(await remap_refs(tx, context, found.unmapped))
            computed = (
                await settle_all(tx, context) if whole or many or mapped is None else await refresh(tx, context, done)
            )
        for name in whole:
            await checkpoints.drop(tx, name, UNCOUNTED)
    return computed


async def mark_uncounted(context: Context, names: Iterable[str]) -> None:
    """Note that items of connections are about to move without a note: a run that dies is made good by the next one."""
    async with context.store.write() as tx:
        for name in names:
            await checkpoints.save(tx, name, UNCOUNTED, True)


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
            "retry": not is_lasting(pulled.error) if pulled.error else None,
            "complete_to": complete.get(pulled.connection),
        }
        for pulled in pulls
    ] + [
        {
            "connection": name,
            "items": stored.get(name, 0),
            "error": str(error),
            "retry": not is_lasting(error),
            "complete_to": complete.get(name),
        }
        for name, error in errors.items()
    ]
