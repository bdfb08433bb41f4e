"""The state of the store in numbers, for metrics: cheap enough to be asked for every few seconds.

Each query answers from an index, or from rows of which there are few.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from storage import checkpoints
from storage.engine import Transaction
from storage.inbox import inbox
from storage.outbox import outbox
from storage.tables import Base, Dirty, Item, Setback

items = Base.metadata.tables[Item.__tablename__]
setbacks = Base.metadata.tables[Setback.__tablename__]
dirty = Base.metadata.tables[Dirty.__tablename__]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauges:
    """The state of the store.

    `items` include deleted ones, `deliveries` are by connection and state, `oldest` is when the oldest unread one came,
    `failures` are by job and key.
    """

    items: Mapping[str, int]
    complete_to: Mapping[str, datetime]
    census: Mapping[str, Mapping[str, Any]]  # Any: a JSON value
    deliveries: Mapping[tuple[str, str], int]
    oldest: Mapping[str, datetime]
    outbox: Mapping[str, int]
    dirty: int
    failures: Mapping[tuple[str, str], int]


async def read(tx: Transaction) -> Gauges:
    """Return the state of the store."""
    counted = select(items.c.connection, func.count()).group_by(items.c.connection)
    waiting = (
        select(inbox.c.connection, inbox.c.state, func.count())
        .where(inbox.c.state.in_(("new", "parked")))
        .group_by(inbox.c.connection, inbox.c.state)
    )
    oldest = (
        select(inbox.c.connection, func.min(inbox.c.received_at))
        .where(inbox.c.state == "new")
        .group_by(inbox.c.connection)
    )
    told = select(outbox.c.state, func.count()).group_by(outbox.c.state)
    failed = select(setbacks.c.job, setbacks.c.key, setbacks.c.attempts).where(setbacks.c.error != "")
    complete_to = await checkpoints.of_stream(tx, "complete_to")
    return Gauges(
        items={row[0]: row[1] for row in await tx.execute(counted)},
        complete_to={name: datetime.fromisoformat(at) for name, at in complete_to.items() if at},
        census=await checkpoints.of_stream(tx, "census"),
        deliveries={(row[0], row[1]): row[2] for row in await tx.execute(waiting)},
        oldest={row[0]: row[1] for row in await tx.execute(oldest)},
        outbox={row[0]: row[1] for row in await tx.execute(told)},
        dirty=int(await tx.scalar(select(func.count()).select_from(dirty)) or 0),
        failures={(row[0], row[1]): row[2] for row in await tx.execute(failed)},
    )
