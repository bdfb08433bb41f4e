"""What trackers told us of their own accord: waiting deliveries are read, and what they name is read again, in batches.

A delivery is a hint. It counts as read when what it names is stored, so that a process that dies loses none.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from connectors.base import Page, Parsed
from domain.errors import KeyrailError, PayloadError
from domain.work import Change, Delete, Refetch, Upsert
from storage import inbox
from storage import items as store
from storage.inbox import Received
from sync.backfill import settle_absent
from sync.context import Context, Live
from sync.ingest import NEVER, Ingested, park, read, write
from sync.poll import Pulled, fetch, refetch

log = logging.getLogger("keyrail")

BATCH = 200
"""most deliveries that are read together"""
SUSPECT = 2
"""readings that did not end, from which a delivery is read alone"""
POISON = 5
"""readings that did not end, from which it is parked"""


@dataclass(slots=True)
class Told:
    """What a batch of deliveries says, folded: one entry an item, however often it was named."""

    upserts: dict[str, Upsert] = field(default_factory=dict)
    deletes: dict[str, tuple[Delete, datetime]] = field(default_factory=dict)
    ids: set[str] = field(default_factory=set)
    containers: set[str] = field(default_factory=set)

    def add(self, change: Change, received_at: datetime) -> None:
        """Take in one change; of two versions of an item the later one stays."""
        match change:
            case Upsert(item=item):
                known = self.upserts.get(item.id)
                if known is None or known.item.updated_at <= item.updated_at:
                    self.upserts[item.id] = change
            case Delete(ref=ref):
                self.deletes[ref.id] = change, received_at
            case Refetch(ref=ref, key=key) if ":" in ref.id:
                self.containers.add(key)
            case Refetch(ref=ref):
                self.ids.add(ref.id)

    def pieces(self) -> list[tuple[Parsed, datetime]]:
        """Return what is written at once; bodies that nobody read with authority apply where they are newer alone."""
        told = tuple(one for id_, one in sorted(self.upserts.items()) if id_ not in self.deletes)
        gone = [(Parsed(changes=(one,)), at) for _, (one, at) in sorted(self.deletes.items())]
        return [(Parsed(changes=told), NEVER), *gone] if told else gone


async def take_in(context: Context, source: Live) -> Ingested:
    """Read the deliveries of a connection that wait, until none does; several processes at once do it once.

    Raises LockedError where another process is at it, and the tracker's errors; what is not done then waits on.
    """
    total = Ingested()
    async with context.store.lock(f"{source.name}.deliveries"):
        while rows := await claim(context, source.name):
            total.add(await take_in_batch(context, source, rows))
    return total


async def claim(context: Context, connection: str) -> list[Received]:
    """Return the next deliveries, oldest first, with the attempt counted; one alone where a reading of it died before.

    One that several processes died of is parked.
    """
    while True:
        async with context.store.write() as tx:
            rows = await inbox.waiting(tx, connection, limit=BATCH, pushed=True)
            suspects = [row for row in rows if row.attempts >= SUSPECT]
            if not suspects or suspects[0].attempts < POISON:
                rows = suspects[:1] or rows
                await inbox.begin(tx, [row.id for row in rows])
                return rows
        await park(context, suspects[0].id, f"reading it did not end {suspects[0].attempts} times")


async def take_in_batch(context: Context, source: Live, rows: Sequence[Received]) -> Ingested:
    """Read deliveries and what they name; then they are settled, the unreadable ones parked."""
    done = Pulled(connection=source.name, started_at=context.now())
    told, readable = Told(), []
    for row in rows:
        try:
            changes = changes_of(context, source, row)
        except PayloadError as error:
            done.ingested.add(await park(context, row.id, str(error)))
            continue
        readable.append(row.id)
        for change in changes:
            told.add(change, row.read_at)
    try:
        await apply(context, source, told, done)
    except (KeyrailError, asyncio.CancelledError):  # none of them is to blame
        async with context.store.write() as tx:
            await inbox.give_back(tx, readable)
        raise
    async with context.store.write() as tx:
        await inbox.settle(tx, readable)
    return done.ingested


def changes_of(context: Context, source: Live, row: Received) -> Iterable[Change]:
    """Return what a delivery says; raise PayloadError where it cannot be read, by our fault too."""
    page = Page(kind=row.kind, stream="", number=0, body=inbox.unpack(row.body), read_at=row.read_at, items=0)
    try:
        return read(context, source, page, row.event).changes
    except PayloadError:
        raise
    except Exception as error:  # whatever a body makes of our code: it is parked alone and stops nobody else
        log.exception("%s: delivery %s", source.name, row.delivery_id)
        raise PayloadError(f"reading it failed: {type(error).__name__}") from error


async def apply(context: Context, source: Live, told: Told, done: Pulled) -> None:
    """Write what deliveries state themselves, and read again what they only name."""
    pieces = told.pieces()
    if pieces:
        async with context.store.alone() as tx:
            done.ingested.add(await write(tx, context, source.name, pieces))
    ids = told.ids - told.deletes.keys()
    if told.containers:
        async with context.store.read() as tx:
            ids |= await store.in_containers(tx, source.name, told.containers)
    absent = await fetch(context, source, sorted(ids), done.ingested) if ids else []
    absent += await refetch(context, source, done.ingested)
    if absent:
        await settle_absent(context, source, done, absent)
