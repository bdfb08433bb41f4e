"""Long lists a page at a time, for people and programs that ask over HTTP: filtered, in a fixed order, from a key on.

Each page begins after the key of the last row of the one before, so that nothing is skipped or told twice while others
write; what a row means to who asks is shaped elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, func, or_, select, tuple_

from domain.okr import CheckIn
from domain.work import Transition
from storage.engine import Transaction
from storage.inbox import inbox
from storage.items import COLUMNS, Stored, items, stored_of, transitions
from storage.okrs import CHECK_IN, check_ins
from storage.tables import Base, ScopeInitiative

scope_initiatives = Base.metadata.tables[ScopeInitiative.__tablename__]


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """Which items are asked for; None asks for all. `linked` says whether they count for any initiative.

    `text` is looked for in titles, and is the key of those that are found by it, whatever its case.
    """

    connection: str | None = None
    level: str | None = None
    category: str | None = None
    project: str | None = None
    team: str | None = None
    initiative: str | None = None
    linked: bool | None = None
    updated_since: datetime | None = None
    text: str | None = None
    deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """Which steps of history are asked for; None asks for all. `item` is the tracker's own id."""

    connection: str | None = None
    item: str | None = None
    field: str | None = None
    since: datetime | None = None
    before: datetime | None = None


class Arrived(NamedTuple):
    """A delivery without its body."""

    id: int
    connection: str
    delivery_id: str
    kind: str
    event: str | None
    received_at: datetime
    items: int
    state: str
    attempts: int
    error: str | None


async def items_after(tx: Transaction, asked: Items, after: tuple[str, str] | None, limit: int) -> list[Stored]:
    """Return the items after (connection, id), in that order."""
    i = items.c
    where: list[ColumnElement[bool]] = [] if asked.deleted else [i.deleted_at.is_(None)]
    for column, value in (
        (i.connection, asked.connection),
        (i.level, asked.level),
        (i.category, asked.category),
        (i.project, asked.project),
        (i.team, asked.team),
    ):
        if value is not None:
            where.append(column == value)
    if asked.initiative is not None:
        held = select(scope_initiatives.c.scope).where(scope_initiatives.c.initiative == asked.initiative)
        where.append(i.scope.in_(held))
    if asked.linked is not None:
        where.append(i.scope != 0 if asked.linked else i.scope == 0)
    if asked.updated_since is not None:
        where.append(i.updated_at >= asked.updated_since)
    if asked.text is not None:
        said = asked.text.lower()
        named = func.lower(i.title).contains(said, autoescape=True)
        where.append(or_(named, func.lower(i.key) == said))
    if after is not None:
        where.append(tuple_(i.connection, i.id) > after)
    query = select(*COLUMNS).where(*where).order_by(i.connection, i.id).limit(limit)
    return [stored_of(row) for row in await tx.execute(query)]


async def steps_after(
    tx: Transaction, asked: Steps, after: tuple[str, str, str] | None, limit: int
) -> list[Transition]:
    """Return the steps of history after (connection, item, entry), in that order."""
    t = transitions.c
    where: list[ColumnElement[bool]] = []
    for column, value in ((t.connection, asked.connection), (t.item_id, asked.item), (t.field, asked.field)):
        if value is not None:
            where.append(column == value)
    if asked.since is not None:
        where.append(t.at >= asked.since)
    if asked.before is not None:
        where.append(t.at < asked.before)
    keys = (t.connection, t.item_id, t.id)
    if after is not None:
        where.append(tuple_(*keys) > after)
    query = select(transitions).where(*where).order_by(*keys).limit(limit)
    return [Transition(**row._mapping) for row in await tx.execute(query)]


async def deliveries_before(
    tx: Transaction,
    *,
    connection: str | None,
    state: str | None,
    kinds: Sequence[str] | None,
    before: int | None,
    limit: int,
) -> list[Arrived]:
    """Return the deliveries below a number, the latest first."""
    columns = [inbox.c[name] for name in Arrived._fields]
    where: list[ColumnElement[bool]] = []
    if connection is not None:
        where.append(inbox.c.connection == connection)
    if state is not None:
        where.append(inbox.c.state == state)
    if kinds is not None:
        where.append(inbox.c.kind.in_(kinds))
    if before is not None:
        where.append(inbox.c.id < before)
    rows = await tx.execute(select(*columns).where(*where).order_by(inbox.c.id.desc()).limit(limit))
    return [Arrived(*row) for row in rows]


async def check_ins_before(
    tx: Transaction, *, key_result: str | None, before: int | None, limit: int
) -> list[tuple[int, CheckIn]]:
    """Return the check-ins below a number, with theirs, the latest recorded first."""
    query = select(check_ins.c.id, *CHECK_IN).order_by(check_ins.c.id.desc()).limit(limit)
    if key_result is not None:
        query = query.where(check_ins.c.key_result == key_result)
    if before is not None:
        query = query.where(check_ins.c.id < before)
    found = [dict(row._mapping) for row in await tx.execute(query)]
    return [(row.pop("id"), CheckIn(**row)) for row in found]
