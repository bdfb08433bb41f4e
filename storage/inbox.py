"""The inbox: deliveries as received, compressed, put once and read again by `replay`.

A delivery is unique by connection and delivery id, so that putting it twice changes nothing.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import case, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from domain.errors import PayloadError
from storage.engine import Transaction
from storage.tables import Base, Delivery

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

inbox = Base.metadata.tables[Delivery.__tablename__]

PUSHED = ("webhook", "hint")
"""kinds of deliveries that a tracker sent on its own"""

LARGEST = 256 * 1024 * 1024
"""bytes that a stored body may unpack to"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A stored delivery. `body` is still compressed: see `unpack`."""

    id: int
    connection: str
    delivery_id: str
    kind: str
    event: str | None
    read_at: datetime
    body: bytes
    items: int
    error: str | None = None
    attempts: int = 0


def pack(body: bytes) -> bytes:
    """Compress a body; about one millisecond for a page of a hundred issues."""
    return zstd.compress(body, 1)


def unpack(packed: bytes) -> bytes:
    """Return the body as received; raise PayloadError where it is damaged or unpacks to more than 256 MB."""
    try:
        size = zstd.get_frame_info(packed).decompressed_size
        if size is None or size > LARGEST:
            raise PayloadError(f"the stored body unpacks to {size or 'unknown'} bytes, more than {LARGEST} are refused")
        return zstd.decompress(packed)
    except zstd.ZstdError as error:
        raise PayloadError("the stored body is damaged") from error


async def put(
    tx: Transaction,
    *,
    connection: str,
    delivery_id: str,
    kind: str,
    body: bytes,
    read_at: datetime,
    items: int = 0,
    event: str | None = None,
    error: str | None = None,
) -> int | None:
    """Store a delivery, parked where it comes with an error; return its id, or None where it was already known."""
    insert = (postgresql if tx.dialect.name == "postgresql" else sqlite).insert(inbox)
    statement = insert.on_conflict_do_nothing(index_elements=["connection", "delivery_id"]).returning(inbox.c.id)
    row = {
        "connection": connection,
        "delivery_id": delivery_id,
        "kind": kind,
        "event": event,
        "received_at": datetime.now(UTC),
        "read_at": read_at,
        "body": body,
        "items": items,
        "state": "new" if error is None else "parked",
        "error": error and shown(error),
    }
    found = (await tx.execute(statement, row)).scalar_one_or_none()
    return int(found) if found is not None else None


async def put_read(tx: Transaction, rows: Sequence[Mapping[str, object]]) -> None:
    """Store deliveries that are read in the same transaction. Keys are those of `put`."""
    if not rows:
        return
    insert = (postgresql if tx.dialect.name == "postgresql" else sqlite).insert(inbox)
    now = datetime.now(UTC)
    written = [{**row, "received_at": now, "state": "done"} for row in rows]
    await tx.execute(insert.on_conflict_do_nothing(index_elements=["connection", "delivery_id"]), written)


async def waiting(
    tx: Transaction,
    connection: str,
    *,
    state: str = "new",
    after: int = 0,
    limit: int = 20,
    pushed: bool | None = None,
) -> list[Received]:
    """Return deliveries of a connection in a state, oldest first, with ids above `after`.

    `pushed` tells those that the tracker sent on its own from the pages that we asked for.
    """
    query = select(*COLUMNS).where(inbox.c.connection == connection, inbox.c.state == state, inbox.c.id > after)
    if pushed is not None:
        query = query.where(inbox.c.kind.in_(PUSHED) if pushed else inbox.c.kind.not_in(PUSHED))
    return [Received(**row._mapping) for row in await tx.execute(query.order_by(inbox.c.id).limit(limit))]


async def waiting_connections(tx: Transaction) -> list[str]:
    """Return the connections whose trackers told us something that was not read yet."""
    query = select(inbox.c.connection).where(inbox.c.state == "new", inbox.c.kind.in_(PUSHED)).distinct()
    return sorted((await tx.scalars(query)).all())


async def stored(
    tx: Transaction, connection: str, *, since: datetime | None, parked: bool, after: int, limit: int = 20
) -> list[Received]:
    """Return what `replay` reads: all deliveries or the parked ones, since an instant, oldest first."""
    query = select(*COLUMNS).where(inbox.c.connection == connection, inbox.c.id > after)
    if parked:
        query = query.where(inbox.c.state == "parked")
    if since is not None:
        query = query.where(inbox.c.received_at >= since)
    return [Received(**row._mapping) for row in await tx.execute(query.order_by(inbox.c.id).limit(limit))]


async def newest(tx: Transaction, connection: str, kind: str, *, size: int = 20) -> AsyncIterator[Received]:
    """Yield the read deliveries of one kind, newest first."""
    before: int | None = None
    while True:
        query = select(*COLUMNS).where(inbox.c.connection == connection, inbox.c.kind == kind, inbox.c.state == "done")
        if before is not None:
            query = query.where(inbox.c.id < before)
        rows = (await tx.execute(query.order_by(inbox.c.id.desc()).limit(size))).all()
        for row in rows:
            yield Received(**row._mapping)
        if len(rows) < size:
            return
        before = rows[-1].id


async def begin(tx: Transaction, ids: Sequence[int]) -> None:
    """Count an attempt at reading deliveries, before it is made: a process that dies of one leaves the count behind."""
    await tx.execute(update(inbox).where(inbox.c.id.in_(ids)).values(attempts=inbox.c.attempts + 1))


async def give_back(tx: Transaction, ids: Sequence[int]) -> None:
    """Take back the last attempt at deliveries that were not to blame for its end."""
    await tx.execute(update(inbox).where(inbox.c.id.in_(ids)).values(attempts=inbox.c.attempts - 1))


async def settle(tx: Transaction, ids: Sequence[int]) -> None:
    """Mark deliveries as read."""
    await tx.execute(update(inbox).where(inbox.c.id.in_(ids)).values(state="done", error=None))


async def reopen(tx: Transaction, ids: Sequence[int]) -> None:
    """Let deliveries wait again: those that were parked and can be read now; the others count as read."""
    again = case((inbox.c.state == "parked", "new"), else_="done")
    await tx.execute(update(inbox).where(inbox.c.id.in_(ids)).values(state=again, error=None, attempts=0))


async def park(tx: Transaction, delivery: int, reason: str) -> None:
    """Put a delivery aside that cannot be read; it stays visible and can be replayed."""
    await tx.execute(update(inbox).where(inbox.c.id == delivery).values(state="parked", error=shown(reason)))


def shown(reason: str) -> str:
    """Return a reason as every database can hold it: it may quote a payload."""
    return reason.replace("\0", "\N{REPLACEMENT CHARACTER}")


async def parked_counts(tx: Transaction) -> dict[str, int]:
    """Return how many deliveries are parked, by connection."""
    query = select(inbox.c.connection, func.count()).where(inbox.c.state == "parked").group_by(inbox.c.connection)
    return {row[0]: row[1] for row in await tx.execute(query)}


async def prune(tx: Transaction, before: datetime) -> tuple[int, int]:
    """Delete read deliveries received before an instant; return rows and compressed bytes freed."""
    old = (inbox.c.state == "done") & (inbox.c.received_at < before)
    rows, size = (await tx.execute(select(func.count(), func.sum(func.length(inbox.c.body))).where(old))).one()
    await tx.execute(delete(inbox).where(old))
    return int(rows), int(size or 0)


async def size(tx: Transaction) -> tuple[int, int]:
    """Return rows and compressed bytes in the inbox."""
    rows, total = (await tx.execute(select(func.count(), func.sum(func.length(inbox.c.body))))).one()
    return int(rows), int(total or 0)


COLUMNS = (
    inbox.c.id,
    inbox.c.connection,
    inbox.c.delivery_id,
    inbox.c.kind,
    inbox.c.event,
    inbox.c.read_at,
    inbox.c.body,
    inbox.c["items"],
    inbox.c.error,
    inbox.c.attempts,
)
