"""The parts of each subject's delivery, one for each structural parent, and which of them a change reaches.

What a part says is made and read in `rollup`; here it is JSON.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import orjson
from sqlalchemy import ColumnElement, and_, bindparam, case, delete, func, insert, select

from storage.engine import Transaction
from storage.items import items
from storage.items import parts as pieces
from storage.links import Ref, by_connection, near, scope_initiatives
from storage.tables import Base, Part

parts = Base.metadata.tables[Part.__tablename__]

ENDING = func.substr(items.c.id, func.length(items.c.id) - 1, 2)
BUCKET = case((items.c.parent_id.is_(None), ENDING), else_="")
"""what cuts items without a parent into parts of their own: the last two characters of the id"""


def bucket_of(ref: Ref) -> Ref:
    """Return the part that an item belongs to while it has no parent."""
    return ref[0], f"/{ref[1][-2:]}"


async def of_groups(tx: Transaction, groups: Iterable[Ref], initiatives: Collection[str]) -> list[ColumnElement[bool]]:
    """Return conditions, each for one statement and one index, which together name the items of some parts.

    Of items without a parent those are named that count for one of `initiatives`.
    """
    named = select(scope_initiatives.c.scope).where(scope_initiatives.c.initiative.in_(list(initiatives)))
    found: list[ColumnElement[bool]] = []
    for connection, names in by_connection(set(groups)):
        here = items.c.connection == connection
        for chunk in pieces([name for name in names if not name.startswith("/")]):
            found.append(and_(here, items.c.parent_id.in_(chunk)))
        buckets = [name[1:] for name in names if name.startswith("/")]
        if buckets:
            loose = and_(here, items.c.parent_id.is_(None), items.c.scope.in_(named), ENDING.in_(buckets))
            ids = list(await tx.scalars(select(items.c.id).where(loose)))
            found.extend(and_(here, items.c.parent_id.is_(None), items.c.id.in_(chunk)) for chunk in pieces(ids))
    return found


async def groups_near(tx: Transaction, refs: Collection[Ref]) -> set[Ref]:
    """Return the parts that items, all below them and those that wait for them belong to now."""
    found: set[Ref] = set()
    for condition in near(refs):
        # With DISTINCT, SQLite would walk the index of parents from end to end.
        query = select(items.c.connection, items.c.parent_id, BUCKET).where(condition)
        for connection, parent, bucket in await tx.execute(query):
            found.add((connection, f"/{bucket}" if parent is None else parent))
    return found


async def load(tx: Transaction, kind: str, id_: str, groups: Collection[Ref]) -> dict[Ref, Any]:
    """Return the stored parts of a subject among some groups, as JSON values."""
    found: dict[Ref, Any] = {}  # Any: a JSON value
    for where in of_subject(kind, id_, groups):
        for connection, parent, data in await tx.execute(
            select(parts.c.connection, parts.c.parent, parts.c.data).where(where)
        ):
            found[connection, parent] = orjson.loads(data)
    return found


async def replace(tx: Transaction, kind: str, id_: str, made: Mapping[Ref, object], groups: Collection[Ref]) -> None:
    """Write parts of a subject in the place of those of some groups."""
    for where in of_subject(kind, id_, groups):
        await tx.execute(delete(parts).where(where))
    await add(tx, {(kind, id_): made})


async def replace_all(tx: Transaction, made: Mapping[tuple[str, str], Mapping[Ref, object]]) -> None:
    """Write the parts of subjects, by kind and id, in the place of all they had."""
    if made:
        statement = delete(parts).where(parts.c.kind == bindparam("of_kind"), parts.c.id == bindparam("of_id"))
        await tx.execute(statement, [{"of_kind": kind, "of_id": id_} for kind, id_ in made])
        await add(tx, made)


async def add(tx: Transaction, made: Mapping[tuple[str, str], Mapping[Ref, object]]) -> None:
    """Write parts that are not there."""
    rows = [
        {"kind": kind, "id": id_, "connection": connection, "parent": parent, "data": text_of(part)}
        for (kind, id_), theirs in made.items()
        for (connection, parent), part in sorted(theirs.items(), key=lambda one: one[0])
    ]
    if rows:
        await tx.execute(insert(parts), rows)


def of_subject(kind: str, id_: str, groups: Iterable[Ref]) -> list[ColumnElement[bool]]:
    """Return conditions, each small enough for one statement, which together name some parts of a subject."""
    return [
        and_(parts.c.kind == kind, parts.c.id == id_, parts.c.connection == connection, parts.c.parent.in_(chunk))
        for connection, names in by_connection(set(groups))
        for chunk in pieces(names)
    ]


def text_of(value: object) -> str:
    """Return the JSON text of a part, the same for equal ones."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
