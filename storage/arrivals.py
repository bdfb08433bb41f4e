"""Deliveries as trackers send them, many put in one statement that tells which were new.

Claiming and settling them is `storage.inbox`'s.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.dialects import postgresql, sqlite

from storage.engine import Transaction
from storage.inbox import inbox, shown

Name = tuple[str, str]
"""what a delivery is unique by: connection and delivery id"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A delivery ready to be stored; `body` is compressed (`inbox.pack`), `kind` is ``webhook`` or ``hint``."""

    connection: str
    delivery_id: str
    kind: str
    event: str | None
    received_at: datetime
    body: bytes

    @property
    def name(self) -> Name:
        """What it is unique by."""
        return self.connection, self.delivery_id


async def put_all(tx: Transaction, arrivals: Collection[Packed]) -> set[Name]:
    """Store deliveries and return the names of those that were not known.

    They are written in the order of their names: two receivers that are sent the same ones then wait for each other,
    where any other order could be a deadlock.
    """
    if not arrivals:
        return set()
    insert = (postgresql if tx.dialect.name == "postgresql" else sqlite).insert(inbox)
    statement = insert.on_conflict_do_nothing(index_elements=["connection", "delivery_id"])
    rows = [
        {
            "connection": one.connection,
            "delivery_id": one.delivery_id,
            "kind": one.kind,
            "event": one.event and shown(one.event),
            "received_at": one.received_at,
            "read_at": one.received_at,
            "body": one.body,
            "items": 0,
            "state": "new",
        }
        for one in sorted(arrivals, key=lambda one: one.name)
    ]
    stored = await tx.execute(statement.returning(inbox.c.connection, inbox.c.delivery_id), rows)
    return {(row[0], row[1]) for row in stored}
