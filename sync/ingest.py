"""Inbox to items: a stored page is parsed, settled by the operator's rules, and written where it is newer.

No network in here. A page that cannot be read is parked with its reason and holds up nobody else.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

import orjson

from connectors.base import Connector, Page, Parsed
from connectors.lanes import batches
from connectors.registry import CONNECTORS
from domain.errors import PayloadError
from domain.work import Category, Delete, Ignored, ItemRef, Link, Refetch, Transition, Upsert, WorkItem, revised
from storage import checkpoints, dirty, inbox
from storage import items as store
from storage import links as link_store
from storage.engine import Transaction, dumps, loads
from storage.items import Stored
from storage.links import Ref
from sync.context import Context, Source
from sync.mapping import Mapper, Own, dates

log = logging.getLogger("keyrail")

MAPPED = "mapped"
"""the note that says with which file the store was mapped"""

NEVER = datetime.min.replace(year=1970, tzinfo=UTC)
"""the start of no read"""

TOGETHER = 5
"""most pages that are written in one transaction"""


@dataclass(slots=True)
class Ingested:
    """What a page changed.

    `moved` are items whose facts differ, with those that they left or came under; `initiatives` are the subjects
    that counted them before, or whose initiatives differ; `loose` are items that had no parent before. `past` are
    the items that transitions were read of.
    """

    items: int = 0
    moved: set[Ref] = field(default_factory=set)
    initiatives: set[str] = field(default_factory=set)
    loose: set[Ref] = field(default_factory=set)
    refetch: set[str] = field(default_factory=set)
    past: set[str] = field(default_factory=set)
    parked: int = 0

    def count(self, other: Ingested) -> None:
        """Take in what another page changed where all is computed anew: how much it was, and what to read again."""
        self.items += other.items
        self.parked += other.parked
        self.refetch |= other.refetch

    def add(self, other: Ingested) -> None:
        """Take in what another page changed."""
        self.items += other.items
        self.moved |= other.moved
        self.initiatives |= other.initiatives
        self.loose |= other.loose
        self.refetch |= other.refetch
        self.past |= other.past
        self.parked += other.parked


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A page packed and read, or the error that reading it raised."""

    page: Page
    packed: bytes
    said: Parsed | PayloadError


@asynccontextmanager
async def receiving(
    context: Context, source: Source, pages: AsyncIterator[Page], run: str
) -> AsyncGenerator[AsyncIterator[Ingested], None]:
    """Offer what pages changed, stored and read into the items, those that are ready in one transaction.

    The next ones are got and read while the database writes. A page that cannot be read goes the way of `receive`.
    """
    async with batches(prepared(context, source, pages), TOGETHER) as groups:
        yield (await receive_group(context, source, group, run) async for group in groups)


async def prepared(context: Context, source: Source, pages: AsyncIterator[Page]) -> AsyncGenerator[Prepared, None]:
    """Pack and read pages, in order; packing takes another core."""
    loop = asyncio.get_running_loop()
    async for page in pages:
        packing = loop.run_in_executor(None, inbox.pack, page.body)
        try:
            said: Parsed | PayloadError = read(context, source, page)
        except PayloadError as error:
            said = error
        # What was decoded is many times as large as the body, and has served.
        yield Prepared(page=replace(page, payload=None), packed=await packing, said=said)


async def receive_group(context: Context, source: Source, group: Sequence[Prepared], run: str) -> Ingested:
    """Store pages with what they say in one transaction; one after the other where that does not work."""
    pieces = [(one.said, one.page.read_at) for one in group if isinstance(one.said, Parsed)]
    named = [ref for parsed, _ in pieces for ref in named_in(parsed)]
    if len(pieces) == len(group) and len(set(named)) == len(named):
        rows = [delivery_of(source, one.page, one.packed, run) for one in group]
        with contextlib.suppress(PayloadError):
            async with context.store.alone() as tx:
                await inbox.put_read(tx, rows)
                return await write(tx, context, source.name, pieces)
    done = Ingested()
    for one in group:
        done.add(await receive(context, source, one.page, run))
    return done


def named_in(parsed: Parsed) -> list[str]:
    """Return the ids that a page says something about."""
    return [
        change.item.id if isinstance(change, Upsert) else change.ref.id
        for change in parsed.changes
        if not isinstance(change, Ignored)
    ]


def delivery_of(source: Source, page: Page, packed: bytes, run: str) -> dict[str, Any]:
    """Return a page, packed, as the inbox stores it; its id is run + stream + number."""
    return {
        "connection": source.name,
        "delivery_id": f"{run}/{page.stream}/{page.number}",
        "kind": page.kind,
        "body": packed,
        "read_at": page.read_at,
        "items": page.items,
    }


async def put(tx: Transaction, source: Source, page: Page, packed: bytes, run: str) -> int | None:
    """Store a page, packed, as received. Return None where it was known."""
    return await inbox.put(tx, **delivery_of(source, page, packed, run))


async def receive(context: Context, source: Source, page: Page, run: str) -> Ingested:
    """Store a page (first transaction), then read it into the items (second)."""
    packed = await asyncio.to_thread(inbox.pack, page.body)
    async with context.store.write() as tx:
        delivery = await put(tx, source, page, packed, run)
    if delivery is None:
        return Ingested()
    return await ingest(context, source, delivery, page)


async def drain(context: Context, source: Source) -> Ingested:
    """Read the pages that an interrupted run stored and did not get to."""
    total = Ingested()
    while True:
        async with context.store.read() as tx:
            waiting = await inbox.waiting(tx, source.name, pushed=False)
        if not waiting:
            return total
        for row in waiting:
            total.add(await ingest_packed(context, source, row))


async def ingest_packed(context: Context, source: Source, row: inbox.Received) -> Ingested:
    """Read one stored delivery."""
    try:
        body = inbox.unpack(row.body)
    except PayloadError as error:
        return await park(context, row.id, str(error))
    page = Page(kind=row.kind, stream="", number=0, body=body, read_at=row.read_at, items=row.items)
    return await ingest(context, source, row.id, page, row.event)


async def ingest(context: Context, source: Source, delivery: int, page: Page, event: str | None = None) -> Ingested:
    """Parse a delivery and write what it says; park what cannot be read, and that alone."""
    try:
        parsed = read(context, source, page, event)
        async with context.store.alone() as tx:
            done = await write(tx, context, source.name, pieces_of(parsed, page))
            await (inbox.reopen if page.kind in inbox.PUSHED and done.refetch else inbox.settle)(tx, [delivery])
    except PayloadError as error:
        return await ingest_apart(context, source, delivery, page, error)
    return done


def pieces_of(parsed: Parsed, page: Page) -> list[tuple[Parsed, datetime]]:
    """Return what a delivery says with the start of the read that saw it.

    What the body of a webhook says of an item was read by nobody: it applies where its `updated` is greater, no else.
    """
    if page.kind != "webhook":
        return [(parsed, page.read_at)]
    told = tuple(change for change in parsed.changes if isinstance(change, Upsert))
    rest = tuple(change for change in parsed.changes if not isinstance(change, Upsert))
    return [(replace(parsed, changes=told), NEVER), (Parsed(changes=rest), page.read_at)]


def read(context: Context, source: Source, page: Page, event: str | None = None) -> Parsed:
    """Return what a delivery says; raise PayloadError where it cannot be read."""
    if page.kind == "webhook":
        return source.connector.webhook(page.body, event, source.connection, source.reading)
    if page.kind == "hint":
        named = orjson.loads(page.body)
        refs = [(ItemRef(connection=source.name, id=one["id"]), one["key"]) for one in named]
        return Parsed(changes=tuple(Refetch(ref=ref, key=key) for ref, key in refs))
    payload = page.body if page.payload is None else page.payload
    parsed = source.connector.parse(page.kind, payload, source.connection, source.reading)
    if context.mapper.uses_raw and page.kind == "items":
        return replace(parsed, raw=payloads(source.connector, page.body))
    return parsed


def payloads(connector: Connector, body: bytes) -> dict[str, object]:
    """Return the items of a page as received, by id, for rules that look into the payload."""
    found = (orjson.loads(piece) for piece in connector.split("items", body))
    return {str(payload["id"]): payload for payload in found}


async def ingest_apart(context: Context, source: Source, delivery: int, page: Page, error: PayloadError) -> Ingested:
    """Read the items of a page one by one and park, as deliveries of their own, those that cannot be read."""
    pieces = [] if page.kind in inbox.PUSHED else source.connector.split(page.kind, page.body)
    if len(pieces) < 2:
        return await park(context, delivery, str(error))
    done = Ingested()
    for number, piece in enumerate(pieces):
        alone = replace(page, body=piece, payload=None, number=number, items=1)
        try:
            parsed = read(context, source, alone)
            async with context.store.alone() as tx:
                done.add(await write(tx, context, source.name, [(parsed, page.read_at)]))
        except PayloadError as reason:
            await put_parked(context, source, delivery, alone, str(reason))
            done.parked += 1
    async with context.store.write() as tx:
        await inbox.settle(tx, [delivery])
    return done


async def put_parked(context: Context, source: Source, delivery: int, page: Page, reason: str) -> None:
    """Store a piece of a delivery as a delivery of its own that waits for better days."""
    log.warning("%s: an item of a page cannot be read and is parked: %s", source.name, reason)
    async with context.store.write() as tx:
        await inbox.put(
            tx,
            connection=source.name,
            delivery_id=f"{delivery}/{page.number}",
            kind=page.kind,
            body=inbox.pack(page.body),
            read_at=page.read_at,
            items=page.items,
            error=reason,
        )


async def park(context: Context, delivery: int, reason: str) -> Ingested:
    """Put a delivery aside with the reason."""
    log.warning("Delivery %s cannot be read and is parked: %s", delivery, reason)
    async with context.store.write() as tx:
        await inbox.park(tx, delivery, reason)
    return Ingested(parked=1)


async def write(
    tx: Transaction, context: Context, connection: str, pieces: Sequence[tuple[Parsed, datetime]]
) -> Ingested:
    """Write the changes of deliveries, given with the start of their reads; no two of them name the same item."""
    done = Ingested()
    upserts: dict[str, tuple[WorkItem, datetime]] = {}
    gone: dict[str, datetime] = {}
    raw: dict[str, object] = {}
    unstated: dict[str, frozenset[str]] = {}
    for parsed, read_at in pieces:
        raw |= parsed.raw
        for change in parsed.changes:
            if isinstance(change, Upsert):
                upserts[change.item.id] = change.item, read_at
                if change.unstated:
                    unstated[change.item.id] = change.unstated
            elif isinstance(change, Delete):
                gone[change.ref.id] = read_at
            elif isinstance(change, Refetch):
                done.refetch.add(change.ref.id)
    known = await store.versions(tx, connection, [*upserts, *gone])
    await upsert(tx, context, upserts.values(), known, raw, unstated, done)
    for id_ in sorted(gone.keys() & known.keys()):
        if not known[id_].item.deleted and known[id_].read_at <= gone[id_]:
            await bury(tx, context, known[id_], done, read_at=gone[id_], deleted_at=gone[id_])
    elsewhere = {(connection, id_): urls for parsed, _ in pieces for id_, urls in parsed.mirrors.items()}
    await store.set_mirrored(tx, elsewhere)
    done.moved |= elsewhere.keys()
    transitions = [entry for parsed, _ in pieces for entry in parsed.transitions]
    whole = {(connection, id_) for parsed, _ in pieces for id_ in parsed.history_of}
    await store.add_transitions(tx, transitions, whole)
    done.past = {entry.item_id for entry in transitions}
    await note(tx, context, done, {(connection, id_) for id_ in upserts})
    return done


async def note(tx: Transaction, context: Context, done: Ingested, written: Collection[Ref] = ()) -> None:
    """Note for the next roll-up what moved, and what was mapped by another file than the store was."""
    foreign = not await in_force(tx, context)
    if context.computes_all and not foreign:
        return
    await dirty.note(
        tx,
        items=done.moved,
        loose=done.loose,
        initiatives=done.initiatives,
        unmapped=done.moved.union(written) if foreign else (),
    )


async def in_force(tx: Transaction, context: Context) -> bool:
    """Return whether the store was mapped with this workspace file, or was never mapped."""
    mapped = await checkpoints.note(tx, MAPPED)
    return mapped is None or mapped["digest"] == context.workspace.digest


async def upsert(
    tx: Transaction,
    context: Context,
    batch: Iterable[tuple[WorkItem, datetime]],
    known: Mapping[str, Stored],
    raw: Mapping[str, object],
    unstated: Mapping[str, frozenset[str]],
    done: Ingested,
) -> None:
    """Settle the newer items of a batch and write them; note in `done` what moved."""
    mapper, zone = context.mapper, context.zone
    applying = [(item, read_at) for item, read_at in batch if is_newer(item, read_at, known.get(item.id))]
    newer = [carried_over(mapper.settle(stated(item, known, unstated)), known.get(item.id)) for item, _ in applying]
    parents = await settled_parents(tx, mapper, newer)
    rows, changed, created = [], [], []
    seen: list[Ref] = []
    for item, (_, read_at) in zip(newer, applying, strict=True):
        before = known.get(item.id)
        parent = parents.get((item.connection, item.parent_id)) if item.parent_id else None
        own = mapper.own(item, parent, raw.get(item.id), item.former_keys)
        rows.append(store.row_of(item, own_rows(own.pairs), own.dimensions, read_at, zone))
        created += created_rows(item, own)
        ref = (item.connection, item.id)
        if before is None or facts(before.item) != facts(item) or own.pairs != before.own:
            changed.append(ref)
        if before is None or place(before.item) != place(item):
            done.moved |= above(item) if before is None else above(item) | above(before.item)
            if before is not None and before.item.parent_id is None:
                done.loose.add(ref)
        if before is None or before.item != item:
            seen.append(ref)
    gone = [(item.connection, item.id) for item in newer if item.id in known]
    if changed:
        await moved(tx, [ref for ref in changed if ref[1] in known], done)
    await store.upsert(tx, rows)
    await entered_anew(tx, context, newer, known)
    await renamed(tx, context, newer, known)
    await store.set_blockers(tx, newer, known)
    await store.set_mirrored(tx, kept_elsewhere(newer, known))
    if created or gone:
        done.initiatives |= await link_store.save_created(tx, created, gone)
    if mapper.uses_parent and seen:
        done.add(await remap_refs(tx, context, await link_store.children(tx, seen)))
    done.moved |= set(changed)
    done.items += len(newer)


async def renamed(tx: Transaction, context: Context, written: Iterable[WorkItem], known: Mapping[str, Stored]) -> None:
    """Let the children of items whose key changed name them by the new one: a move touches no child's version."""
    keys = {
        (item.connection, item.id): item.key
        for item in written
        if item.id in known and known[item.id].item.key != item.key
    }
    for connection, ids in link_store.by_connection(await link_store.children(tx, keys) if keys else ()):
        rows = []
        for row in (await store.versions(tx, connection, ids)).values():
            item = replace(row.item, parent_key=keys[connection, row.item.parent_id or ""])
            if item != row.item:
                rows.append(store.row_of(item, own_rows(row.own), row.dimensions, row.read_at, context.zone))
        await store.upsert(tx, rows)


async def entered_anew(
    tx: Transaction, context: Context, written: Iterable[WorkItem], known: Mapping[str, Stored]
) -> None:
    """Date anew when items came under their parent, where the past was read already and another parent is told now.

    A parent that is hidden from us is not told: with it comes and goes what an item of the same version hangs below.
    """
    moves = [
        item
        for item in written
        if (before := known.get(item.id)) is not None
        and before.item.parent_id != item.parent_id
        and before.history_at is not None
        and before.history_at >= item.updated_at
    ]
    if moves:
        past = await store.transitions_of(tx, moves[0].connection, [item.id for item in moves])
        days = {item.id: entered_at(item, past[item.id]).astimezone(context.zone).date() for item in moves}
        await store.set_entered(tx, moves[0].connection, days)


async def moved(tx: Transaction, refs: Sequence[Ref], done: Ingested) -> None:
    """Note that the facts of stored items change, and whom they counted for until now."""
    done.moved |= set(refs)
    done.initiatives |= await link_store.initiatives_of(tx, refs)


async def bury(
    tx: Transaction,
    context: Context,
    found: Stored,
    done: Ingested,
    *,
    read_at: datetime,
    deleted_at: datetime | None = None,
    inaccessible_on: date | None = None,
) -> None:
    """Put a tombstone on an item that a read found gone.

    A deleted item makes no initiative any more, and its children are to be read again: what the tracker now has them
    under need not move their `updated`.
    """
    ref = (found.item.connection, found.item.id)
    await moved(tx, [ref], done)
    done.moved |= above(found.item)
    await store.mark(tx, found, read_at=read_at, deleted_at=deleted_at, inaccessible_on=inaccessible_on)
    if deleted_at is not None:
        done.initiatives |= await link_store.save_created(tx, [], [ref])
        below = await link_store.children(tx, [ref])
        done.refetch |= {id_ for _, id_ in below}
        if context.mapper.uses_parent:
            done.add(await remap_refs(tx, context, below))


async def parents_of(tx: Transaction, batch: Sequence[WorkItem]) -> dict[Ref, WorkItem]:
    """Return the parents of items, from the batch itself and from the store, for rules that look at parents."""
    wanted = {(item.connection, item.parent_id) for item in batch if item.parent_id is not None}
    found = {(item.connection, item.id): item for item in batch}
    for connection, ids in link_store.by_connection(wanted - set(found)):
        found.update({(connection, id_): row.item for id_, row in (await store.versions(tx, connection, ids)).items()})
    return {ref: found[ref] for ref in wanted & set(found) if not found[ref].deleted}


async def settled_parents(tx: Transaction, mapper: Mapper, batch: Sequence[WorkItem]) -> dict[Ref, WorkItem]:
    """Return the parents of items as today's file has them, where any rule looks at parents."""
    if not mapper.uses_parent:
        return {}
    return {ref: mapper.settle(item) for ref, item in (await parents_of(tx, batch)).items()}


async def remap_refs(tx: Transaction, context: Context, refs: Collection[Ref]) -> Ingested:
    """Apply the rules again to stored items, because those above them changed."""
    done = Ingested()
    for connection, ids in link_store.by_connection(refs):
        found = await store.versions(tx, connection, ids)
        raw: dict[str, object] = {}
        if context.mapper.uses_raw:
            async for page in stored_payloads(tx, context, connection, set(ids)):
                raw |= page
        done.add(await remap(tx, context, list(found.values()), raw))
    return done


async def remap_by_payload(tx: Transaction, context: Context) -> None:
    """Apply the rules again with each item's payload as it was last received, for rules that look into it."""
    for name in context.workspace.connections:
        async for page in stored_payloads(tx, context, name, None):
            found = await store.versions(tx, name, list(page))
            await remap(tx, context, list(found.values()), page)


async def stored_payloads(
    tx: Transaction, context: Context, connection: str, wanted: set[str] | None
) -> AsyncIterator[dict[str, object]]:
    """Yield payloads by item id out of the inbox, newest first, each item once; `wanted` None means all."""
    connector = CONNECTORS.get(context.workspace.connections[connection].type)
    seen: set[str] = set()
    async for row in inbox.newest(tx, connection, "items"):
        if connector is None or (wanted is not None and not wanted - seen):
            return
        found = payloads(connector, inbox.unpack(row.body))
        fresh = {id_: raw for id_, raw in found.items() if id_ not in seen and (wanted is None or id_ in wanted)}
        seen |= set(fresh)
        yield fresh


async def remap(
    tx: Transaction, context: Context, batch: Sequence[Stored], raw: Mapping[str, object] | None = None
) -> Ingested:
    """Settle stored items by today's file and write those that it changes; return what that changed.

    `raw` holds payloads by id, for rules that look into them.
    """
    mapper, zone = context.mapper, context.zone
    parents = await settled_parents(tx, mapper, [row.item for row in batch])
    rows, changed, created = [], [], []
    for row in batch:
        settled = mapper.settle(row.item)
        parent = parents.get((settled.connection, settled.parent_id)) if settled.parent_id else None
        own = mapper.own(settled, parent, (raw or {}).get(settled.id), settled.former_keys)
        created += created_rows(settled, own) if not settled.deleted else []
        if settled != row.item or own.pairs != row.own or as_stored(own.dimensions) != row.dimensions:
            rows.append(store.row_of(settled, own_rows(own.pairs), own.dimensions, row.read_at, zone))
            changed.append((settled.connection, settled.id))
    await store.rewrite(tx, rows)
    touched = await link_store.save_created(tx, created, [(row.item.connection, row.item.id) for row in batch])
    return Ingested(moved=set(changed), initiatives=touched)


async def finish_history(
    tx: Transaction,
    context: Context,
    source: Source,
    ids: Sequence[str],
    *,
    read: bool = True,
    reached: Mapping[str, datetime] | None = None,
    unseen: Collection[str] = (),
) -> Ingested:
    """Write what the stored transitions of items prove: when each was started, completed and came in.

    `read` says that the transitions reach the items' present version, or, where others may have written a newer one
    meanwhile, that of the time `reached`; else items without any are left alone. Of the `unseen`, which the tracker
    did not answer, nothing is said until it does, but for those that have no past that could be read.
    """
    upto = reached or {}
    done = Ingested(items=len(ids))
    found = await store.versions(tx, source.name, ids)
    past = await store.transitions_of(tx, source.name, list(found))
    rows, dated = [], []
    for id_, row in found.items():
        if not read and row.history_at is None:
            continue
        if id_ in unseen and "no_history" not in row.item.flags:
            continue
        item = with_dates(context, source, row.item, past[id_])
        if item != row.item:
            dated.append(replace(row, item=item))
        rows.append(
            {
                "connection": source.name,
                "id": id_,
                "completed_on": item.completed_at.astimezone(context.zone).date() if item.completed_at else None,
                "canceled_on": item.canceled_at.astimezone(context.zone).date() if item.canceled_at else None,
                "entered_on": entered_at(item, past[id_]).astimezone(context.zone).date(),
                "history_at": min(item.updated_at, upto.get(id_, item.updated_at)) if read else row.history_at,
                "data": item,
            }
        )
    await moved(tx, [(source.name, id_) for id_ in found], done)
    await store.set_history(tx, rows)
    done.add(await remap(tx, context, dated))
    if context.mapper.uses_parent:
        below = await link_store.children(tx, [(source.name, row.item.id) for row in dated])
        done.add(await remap_refs(tx, context, below))
    await note(tx, context, done)
    return done


def with_dates(context: Context, source: Source, item: WorkItem, past: Sequence[Transition]) -> WorkItem:
    """Return the item with the dates that its history proves; without a trace of it the tracker's own stay."""
    told = any(entry.field == "status" for entry in past) or "no_history" not in item.flags
    statuses = source.reading.facts.get("statuses", {})

    def category_of(status: str | None, status_id: str | None, resolution: str | None) -> Category | None:
        return context.mapper.category_of(source.name, status, status_id, resolution, statuses)

    started, completed, canceled = dates(item, past, category_of)
    named = (entry.before for entry in past if entry.field == "key" and entry.before and entry.before != item.key)
    return replace(
        item,
        former_keys=tuple(dict.fromkeys([*item.former_keys, *named])),
        started_at=started if told else item.started_at or started,
        completed_at=completed or item.completed_at,
        canceled_at=canceled or item.canceled_at,
    )


def entered_at(item: WorkItem, past: Sequence[Transition]) -> datetime:
    """Return when the item came under its present parent: the last such move, else its creation.

    An entry that says the same before and after is no move.
    """
    told = (entry for entry in past if entry.field == "parent")
    moves = [entry for entry in told if (entry.before_id, entry.before) != (entry.after_id, entry.after)]
    if moves and item.parent_id is not None and item.parent_id in (moves[-1].after_id, moves[-1].after):
        return moves[-1].at
    return item.created_at


def is_newer(item: WorkItem, read_at: datetime, stored: Stored | None) -> bool:
    """Whether a read applies: a greater `updated`, or the same and a read that started no earlier.

    An item that was found gone comes back by a read that started after that alone.
    """
    if stored is None:
        return True
    if (stored.item.deleted or stored.item.inaccessible) and read_at <= stored.read_at:
        return False
    if item.updated_at > stored.item.updated_at:
        return True
    return item.updated_at == stored.item.updated_at and read_at >= stored.read_at


def stated(item: WorkItem, known: Mapping[str, Stored], unstated: Mapping[str, frozenset[str]]) -> WorkItem:
    """Return the item with what the store knows of fields that the payload says nothing about."""
    names = unstated.get(item.id)
    if not names or item.id not in known:
        return item
    return revised(item, **{name: getattr(known[item.id].item, name) for name in names})


def carried_over(item: WorkItem, before: Stored | None) -> WorkItem:
    """Return the item with what a newer version does not state.

    That is the names it had, what its history proves of its start and its end, and the id of a parent that it names
    by key alone.
    """
    if before is None:
        return item
    if item.parent_id is None and item.parent_key is not None and item.parent_key == before.item.parent_key:
        item = replace(item, parent_id=before.item.parent_id)
    if item.parent_key is None and item.parent_id is not None and item.parent_id == before.item.parent_id:
        item = replace(item, parent_key=before.item.parent_key)
    former = before.item.former_keys
    if before.item.key != item.key:
        former = (*(name for name in former if name != item.key), before.item.key)
    proved = before.item if before.history_at is not None else item
    ended = proved if (proved.category, proved.status) == (item.category, item.status) else item
    # Of a version that the history reaches it knows better than the tracker's own field, of a later one not yet.
    first, other = (ended, item) if before.history_at and before.history_at >= item.updated_at else (item, ended)
    begun = proved.started_at or item.started_at
    if "no_history" in item.flags:  # what the tracker states is all there is, and it may begin anew
        begun = item.started_at or (begun if item.category is not Category.TODO else None)
    dates = {
        "started_at": begun,
        "completed_at": first.completed_at or other.completed_at,
        "canceled_at": first.canceled_at or other.canceled_at,
    }
    if former == item.former_keys and all(getattr(item, name) == at for name, at in dates.items()):
        return item
    return revised(item, former_keys=former, **dates)


def facts(item: WorkItem) -> tuple[object, ...]:
    """Return what a rollup or a link can depend on; a change elsewhere re-computes nothing."""
    return (
        item.level, item.key, item.parent_id, item.parent_key, item.category, item.stage, item.estimate,
        item.time_estimate, item.team, item.flags, item.completed_at, item.canceled_at, item.archived, item.deleted,
        item.inaccessible, item.blocked_by, item.fields, item.mirrors,
    )  # fmt: skip


def kept_elsewhere(batch: Iterable[WorkItem], known: Mapping[str, Stored]) -> dict[Ref, tuple[str, ...]]:
    """Return the items of a batch that say, or said, where else they are kept, with what they say now."""
    return {
        (item.connection, item.id): item.mirrors
        for item in batch
        if item.mirrors or (item.id in known and known[item.id].item.mirrors)
    }


def above(item: WorkItem) -> set[Ref]:
    """Return the structural parent of an item, in the store or not."""
    return {(item.connection, item.parent_id)} if item.parent_id is not None else set()


def place(item: WorkItem) -> tuple[object, ...]:
    """Return what decides how an item's parent counts."""
    return item.parent_id, item.parent_key, item.level, item.deleted


def own_rows(pairs: Iterable[tuple[Link, bool]]) -> list[dict[str, object]]:
    """Return an item's own links, each with whether it is also to others, as they are stored."""
    return [{"initiative": link.initiative, "rule": link.rule, "also": also} for link, also in pairs]


def as_stored(dimensions: Mapping[str, object]) -> Any:  # Any: a JSON object
    """Return dimensions as they are read from the store."""
    return loads(dumps(dimensions)) if dimensions else {}


def created_rows(item: WorkItem, own: Own) -> list[dict[str, object]]:
    """Return the initiatives that rules make of an item."""
    return [{"id": made.id, "connection": item.connection, "item_id": item.id, "data": made} for made in own.created]
