"""The way to the places of one row of `publish`: a client, what is known of the vendor, and what a place says now.

What is written there, and what becomes of it, is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime

from connectors.base import Call, Json, Outlet, Reading, Spot, There
from connectors.http import Client
from connectors.ratelimit import Signal
from connectors.registry import open_sink
from domain.errors import ConfigError, NotFoundError, RejectedError
from domain.workspace import PublishRow
from storage import items
from storage.outbox import Due, Published
from sync.addresses import outlet_of, unsupported_words
from sync.context import Context, Live

MAX_READS = 50
"""pages of entries that are looked through for ours"""
NOTHING = Reading(facts={}, account="", digest="")
"""what is known of a tool that is only written to"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How the places of one row are reached; `facts` are what its outlet's `prepare` found.

    `source` is the tracker whose places they are, None of a tool.
    """

    row: PublishRow
    outlet: Outlet
    client: Client
    reading: Reading
    source: Live | None = None
    facts: Mapping[str, Json] = field(default_factory=dict)


async def open_way(
    context: Context,
    stack: AsyncExitStack,
    sources: Mapping[str, Live],
    row: PublishRow,
    addresses: Sequence[str],
) -> Way:
    """Open the way to the places of a row, prepared for their addresses; the stack closes what is opened.

    Raises what preparing raises, and ConfigError for a missing secret or a place that this version does not have.
    """
    outlet = outlet_of(context, row)
    if outlet is None:
        raise ConfigError(f"{row.id}: {unsupported_words(row)}")
    source = sources[row.connection] if row.connection is not None else None
    if source is not None:
        client, reading = source.client, source.reading
    else:
        client, reading = await stack.enter_async_context(open_tool(context, row)), NOTHING
    facts: Mapping[str, Json] = {}
    if outlet.prepare is not None:
        facts = await outlet.prepare(client, row, list(dict.fromkeys(addresses)), reading)
    return Way(row=row, outlet=outlet, client=client, reading=reading, source=source, facts=facts)


def open_tool(context: Context, row: PublishRow) -> AbstractAsyncContextManager[Client]:
    """Open the client of a row without a connection; waits and answers are told to the context's watcher."""

    def on_wait(reason: str, until: datetime) -> None:
        context.watcher.wait(row.id, reason, until)

    def on_answer(status: int | None, seconds: float, signal: Signal) -> None:
        context.watcher.answered(row.id, status, seconds, signal)

    return open_sink(row, on_wait=on_wait, on_answer=on_answer)


def spot_of(context: Context, way: Way, due: Due, told: Published | None) -> Spot:
    """Return where a row of the outbox goes; its natural key names the period where each has its own entry."""
    place = due.place
    key = f"keyrail:{context.workspace.name}:{place.target}:{place.kind}:{place.subject}"
    known = way.facts.get("addresses")
    address = known.get(place.address) if isinstance(known, Mapping) else None
    same = told is not None and (not way.outlet.per_period or told.period == due.period)
    return Spot(
        row=way.row,
        address=address if isinstance(address, str) else place.address,
        key=f"{key}:{due.period}" if way.outlet.per_period else key,
        reading=way.reading,
        id=told.entry if told is not None and same else None,
        facts=way.facts,
        period=due.period,
        now=context.now(),
    )


async def call_out(way: Way, spot: Spot, content: Mapping[str, Json]) -> str | None:
    """Make a place say a content; return the vendor's id of the entry. What is blind is never sent twice."""
    call = way.outlet.render(content, spot)
    answer = await way.client.send(replace(call, idempotent=False) if way.outlet.guarantee == "blind" else call)
    return way.outlet.sent(answer, spot)


async def current(way: Way, spot: Spot, key: str) -> There | None:
    """Return what a place says now, None where it says nothing of ours; pages are read until ours is found.

    `key` is the address as people know it. Raises RejectedError where another workspace writes there.
    """
    outlet = way.outlet
    if outlet.read is None or outlet.current is None:
        return None
    call = outlet.read(spot)
    for _ in range(MAX_READS):
        try:
            answer = await way.client.send(call)
        except NotFoundError:
            return None
        found = outlet.current(answer.body, spot)
        if isinstance(found, There) and found.owner is not None:
            raise RejectedError(owned(way.row, key, found.owner))
        if not isinstance(found, Call):
            return found
        call = found
    raise RejectedError(f"{way.row.id}: our entry on {key} was not found among {MAX_READS} pages of others.")


async def in_sight(context: Context, way: Way, spot: Spot) -> bool:
    """Ask the tracker whether the item that a place stands on is there and visible.

    Trackers answer alike for an entry that somebody took away and for an item that is out of our sight. Of a place on
    something else than an item of the store it is taken to be.
    """
    if way.source is None:
        return True
    source = way.source
    async with context.store.read() as tx:
        known = (await items.versions(tx, source.name, [spot.address])).get(spot.address)
    if known is None:
        return True
    found = await source.connector.locate(
        source.client, source.connection, source.reading, spot.address, known.item.project, known.item.key
    )
    return found.state in ("present", "moved")


def owned(row: PublishRow, key: str, owner: str) -> str:
    """Say that another workspace writes to a place, and what to do."""
    return (
        f"{row.id}: what stands on {key} was written for another workspace ({owner}), so it was left alone."
        " Take the row out of one of the two workspace files, or give this one another place."
    )
