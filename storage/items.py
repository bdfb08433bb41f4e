"""Work items and their past: written when newer, read one by one, in streams, or by key.

A version is (vendor's updated time, start of the authoritative read): a read applies when its updated is
greater, or equal and its read started no earlier; so an item that goes from A to B and back within one
`updated` is seen each time, and the same page read twice changes nothing. A tombstone has the time of the read that
found the item gone: only a read that started later brings it back.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, tzinfo
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Text, and_, bindparam, cast, delete, func, insert, or_, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Insert
from sqlalchemy.sql.selectable import TableValuedAlias

from domain.work import Category, Level, Link, Transition, WorkItem
from storage.engine import Transaction
from storage.tables import Base, Blocker, CensusId, Item, Mirror
from storage.tables import Transition as TransitionRow

items = Base.metadata.tables[Item.__tablename__]
blockers = Base.metadata.tables[Blocker.__tablename__]
transitions = Base.metadata.tables[TransitionRow.__tablename__]
mirrors = Base.metadata.tables[Mirror.__tablename__]
census_ids = Base.metadata.tables[CensusId.__tablename__]

CHUNK = 500
"""ids in one `in (…)`"""

Id = TypeVar("Id", str, int)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A work item as it stands in the store. `item.links` is left empty: see `storage.links`."""

    item: WorkItem
    read_at: datetime
    scope: int
    own: tuple[tuple[Link, bool], ...]
    dimensions: Mapping[str, object]
    history_at: datetime | None
    mirror_of: str | None


LEVELS = {level.value: level for level in Level}
CATEGORIES = {category.value: category for category in Category}
"""by their words: what the classes look up takes three times as long"""


def row_of(
    item: WorkItem,
    own: Sequence[Mapping[str, object]],
    dimensions: Mapping[str, object],
    read_at: datetime,
    zone: tzinfo,
) -> dict[str, Any]:
    """Return the row of a settled item; local dates are those of `zone`."""
    return {
        "connection": item.connection,
        "id": item.id,
        "key": item.key,
        "title": item.title,
        "project": item.project,
        "level": item.level.value,
        "parent_id": item.parent_id,
        "parent_key": item.parent_key,
        "category": item.category.value,
        "stage": item.stage,
        "estimate": item.estimate,
        "time_estimate": item.time_estimate,
        "team": item.team,
        "flags": " ".join(("archived", *item.flags) if item.archived else item.flags),
        "updated_at": item.updated_at,
        "read_at": read_at,
        "completed_on": item.completed_at.astimezone(zone).date() if item.completed_at else None,
        "canceled_on": item.canceled_at.astimezone(zone).date() if item.canceled_at else None,
        "entered_on": item.created_at.astimezone(zone).date(),
        "deleted_at": None,
        "inaccessible_on": None,
        "own": own or None,
        "dimensions": dimensions or None,
        "data": item,
    }


UPDATED = (
    "key", "title", "project", "level", "parent_id", "parent_key", "category", "stage", "estimate", "time_estimate",
    "team", "flags", "updated_at", "read_at", "completed_on", "canceled_on", "deleted_at", "inaccessible_on", "own",
    "dimensions", "data",
)  # fmt: skip


async def upsert(tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows of `row_of`; a row older than the stored one changes nothing."""
    if rows:
        await tx.execute(upsert_statement(tx.dialect.name), [{**row, "scope": 0} for row in rows])


@cache
def upsert_statement(dialect: str) -> Insert:
    """Return the statement of `upsert`; building it costs as much as running it for a dozen rows."""
    insert = (postgresql if dialect == "postgresql" else sqlite).insert(items)
    new = insert.excluded
    newer = or_(
        new.updated_at > items.c.updated_at,
        and_(new.updated_at == items.c.updated_at, new.read_at >= items.c.read_at),
    )
    here = and_(items.c.deleted_at.is_(None), items.c.inaccessible_on.is_(None))
    statement: Insert = insert.on_conflict_do_update(
        index_elements=["connection", "id"],
        set_={name: new[name] for name in UPDATED},
        where=and_(newer, or_(here, new.read_at > items.c.read_at)),
    )
    return statement


async def rewrite(tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write what the operator's rules say of stored items (settled fields, own links); versions stay."""
    if not rows:
        return
    names = ("level", "category", "stage", "team", "completed_on", "canceled_on", "own", "dimensions", "data")
    statement = (
        update(items)
        .where(items.c.connection == bindparam("at_connection"), items.c.id == bindparam("at_id"))
        .values({name: bindparam(f"new_{name}", type_=items.c[name].type) for name in names})
    )
    await tx.execute(
        statement,
        [
            {"at_connection": row["connection"], "at_id": row["id"], **{f"new_{name}": row[name] for name in names}}
            for row in rows
        ],
    )


async def set_blockers(tx: Transaction, batch: Iterable[WorkItem], known: Collection[str]) -> None:
    """Keep who waits for whom; `known` are the ids of the batch that the store already had."""
    found = list(batch)
    stale = [item.id for item in found if item.id in known]
    for part in parts(stale):
        await tx.execute(
            delete(blockers).where(blockers.c.connection == found[0].connection, blockers.c.item_id.in_(part))
        )
    rows = [
        {"connection": item.connection, "item_id": item.id, "blocker_id": blocker}
        for item in found
        for blocker in set(item.blocked_by)
    ]
    if rows:
        insert = (postgresql if tx.dialect.name == "postgresql" else sqlite).insert(blockers)
        await tx.execute(insert.on_conflict_do_nothing(), rows)


async def set_mirrored(tx: Transaction, stated: Mapping[tuple[str, str], Collection[str]]) -> None:
    """Keep where else the work of items is kept, by (connection, id), in place of what was known of them."""
    if not stated:
        return
    where = and_(mirrors.c.connection == bindparam("at_connection"), mirrors.c.item_id == bindparam("at_id"))
    await tx.execute(delete(mirrors).where(where), [{"at_connection": ref[0], "at_id": ref[1]} for ref in stated])
    rows = [
        {"connection": connection, "item_id": id_, "address": address}
        for (connection, id_), addresses in stated.items()
        for address in sorted(set(addresses))
    ]
    if rows:
        await tx.execute(insert(mirrors), rows)


async def versions(tx: Transaction, connection: str, ids: Sequence[str]) -> dict[str, Stored]:
    """Return the stored items among `ids`."""
    found: dict[str, Stored] = {}
    for part in parts(ids):
        query = select(*COLUMNS).where(items.c.connection == connection, items.c.id.in_(part))
        for row in await tx.execute(query):
            found[row.id] = stored_of(row)
    return found


async def read_since(tx: Transaction, connection: str, ids: Sequence[str], instant: datetime) -> set[str]:
    """Return which of `ids` an authoritative read has seen since an instant."""
    found: set[str] = set()
    for part in parts(ids):
        query = select(items.c.id).where(
            items.c.connection == connection, items.c.id.in_(part), items.c.read_at >= instant
        )
        found.update(await tx.scalars(query))
    return found


async def by_key(tx: Transaction, key: str, connection: str | None = None) -> list[Stored]:
    """Return the items with a key, compared without case, in one or any connection."""
    for named in (items.c.key.in_({key, key.upper(), key.lower()}), func.lower(items.c.key) == key.lower()):
        query = select(*COLUMNS).where(named).order_by(items.c.connection, items.c.id)
        if connection is not None:
            query = query.where(items.c.connection == connection)
        if found := [stored_of(row) for row in await tx.execute(query)]:
            return found
    return []


async def by_former_key(tx: Transaction, key: str, connection: str | None = None) -> list[Stored]:
    """Return the items that once had a key, compared without case, in one or any connection; reads every item."""
    entry = entries(tx, "former_keys")
    once = select(entry.c.value).where(func.lower(entry.c.value) == key.lower()).exists()
    query = select(*COLUMNS).where(once).order_by(items.c.connection, items.c.id)
    if connection is not None:
        query = query.where(items.c.connection == connection)
    return [stored_of(row) for row in await tx.execute(query)]


async def in_containers(tx: Transaction, connection: str, containers: Collection[str]) -> set[str]:
    """Return the ids of the items that are in a sprint, milestone, version … (entries of `WorkItem.containers`)."""
    entry = entries(tx, "containers")
    inside = select(entry.c.value).where(entry.c.value.in_(sorted(containers))).exists()
    query = select(items.c.id).where(items.c.connection == connection, items.c.deleted_at.is_(None), inside)
    return {row.id for row in await tx.execute(query)}


async def stream(tx: Transaction, *, connection: str | None = None, size: int = 1000) -> AsyncIterator[list[Stored]]:
    """Yield all items in order of connection and id, in chunks; safe against writes between the chunks."""
    after = ("", "")
    while True:
        query = select(*COLUMNS).where(tuple_(items.c.connection, items.c.id) > after)
        if connection is not None:
            query = query.where(items.c.connection == connection)
        rows = (await tx.execute(query.order_by(items.c.connection, items.c.id).limit(size))).all()
        if rows:
            yield [stored_of(row) for row in rows]
        if len(rows) < size:
            return
        after = (rows[-1].connection, rows[-1].id)


async def as_mapped(tx: Transaction, *, size: int = 2000) -> AsyncIterator[Sequence[Any]]:  # Any: SQLAlchemy rows
    """Yield what mapping looks at and what it made of all items, in the order of `stream`.

    The rows are connection, id, parent_id, and as JSON texts own, dimensions and data: a chunk of them decoded would
    be ten times as large.
    """
    after = ("", "")
    texts = [cast(column, Text) for column in (items.c.own, items.c.dimensions, items.c.data)]
    asked = select(items.c.connection, items.c.id, items.c.parent_id, *texts)
    while True:
        query = asked.where(tuple_(items.c.connection, items.c.id) > after).order_by(items.c.connection, items.c.id)
        rows = (await tx.execute(query.limit(size))).all()
        if rows:
            yield rows
        if len(rows) < size:
            return
        after = (rows[-1][0], rows[-1][1])


async def unseen_since(tx: Transaction, day: date) -> set[tuple[str, str]]:
    """Return connection and id of the items that our account lost from sight on a local day or earlier."""
    query = select(items.c.connection, items.c.id).where(items.c.inaccessible_on <= day)
    return {(row.connection, row.id) for row in await tx.execute(query)}


async def without_history(
    tx: Transaction, connection: str, *, since: datetime | None, after: str, limit: int
) -> list[str]:
    """Return ids, above `after`, of items in sight whose stored history does not reach their `updated_at`."""
    query = select(items.c.id).where(
        items.c.connection == connection,
        items.c.deleted_at.is_(None),
        items.c.inaccessible_on.is_(None),
        or_(items.c.history_at.is_(None), items.c.history_at < items.c.updated_at),
        items.c.id > after,
    )
    if since is not None:
        query = query.where(items.c.updated_at >= since)
    return list(await tx.scalars(query.order_by(items.c.id).limit(limit)))


async def updated(tx: Transaction, connection: str, ids: Sequence[str]) -> dict[str, datetime]:
    """Return which version of items is stored, as the tracker's time of it."""
    found: dict[str, datetime] = {}
    for part in parts(ids):
        query = select(items.c.id, items.c.updated_at).where(items.c.connection == connection, items.c.id.in_(part))
        found.update((row.id, row.updated_at) for row in await tx.execute(query))
    return found


async def add_transitions(
    tx: Transaction, batch: Sequence[Transition], whole: Collection[tuple[str, str]] = ()
) -> None:
    """Keep transitions, as the last reading tells them; of the `whole` items (connection, id) they are all there are.

    An entry that is read again may say more than before, and what stood before the first one is known by the rest.
    """
    for connection in sorted({connection for connection, _ in whole}):
        for ids in parts(sorted(id_ for name, id_ in whole if name == connection)):
            stale = (transitions.c.connection == connection) & transitions.c.item_id.in_(ids)
            await tx.execute(delete(transitions).where(stale))
    if not batch:
        return
    insert = (postgresql if tx.dialect.name == "postgresql" else sqlite).insert(transitions)
    told = ("at", "field", "before", "after", "before_id", "after_id")
    put = insert.on_conflict_do_update(
        index_elements=["connection", "item_id", "id"], set_={name: insert.excluded[name] for name in told}
    )
    rows = [
        {
            "connection": entry.connection, "item_id": entry.item_id, "id": entry.id, "at": entry.at,
            "field": entry.field, "before": entry.before, "after": entry.after,
            "before_id": entry.before_id, "after_id": entry.after_id,
        }
        for entry in batch
    ]  # fmt: skip
    await tx.execute(put, rows)


async def transitions_of(tx: Transaction, connection: str, ids: Sequence[str]) -> dict[str, list[Transition]]:
    """Return the known past of items, oldest first."""
    found: dict[str, list[Transition]] = {item: [] for item in ids}
    for part in parts(ids):
        query = select(transitions).where(transitions.c.connection == connection, transitions.c.item_id.in_(part))
        for row in await tx.execute(query.order_by(transitions.c.at, func.length(transitions.c.id), transitions.c.id)):
            found[row.item_id].append(Transition(**row._mapping))
    return found


async def all_transitions(tx: Transaction, *, size: int = 2000) -> AsyncIterator[list[Transition]]:
    """Yield all transitions by connection, item and entry, in chunks."""
    after = ("", "", "")
    keys = (transitions.c.connection, transitions.c.item_id, transitions.c.id)
    while True:
        rows = (await tx.execute(select(transitions).where(tuple_(*keys) > after).order_by(*keys).limit(size))).all()
        if rows:
            yield [Transition(**row._mapping) for row in rows]
        if len(rows) < size:
            return
        after = (rows[-1].connection, rows[-1].item_id, rows[-1].id)


async def set_history(tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write what the history proves: dates of start, completion and entry. Keys as the columns, and `data`."""
    if not rows:
        return
    names = ("completed_on", "canceled_on", "entered_on", "history_at", "data")
    statement = (
        update(items)
        .where(items.c.connection == bindparam("at_connection"), items.c.id == bindparam("at_id"))
        .values({name: bindparam(f"new_{name}", type_=items.c[name].type) for name in names})
    )
    await tx.execute(
        statement,
        [
            {"at_connection": row["connection"], "at_id": row["id"], **{f"new_{name}": row[name] for name in names}}
            for row in rows
        ],
    )


async def set_entered(tx: Transaction, connection: str, days: Mapping[str, date]) -> None:
    """Write on which days items of a connection, by id, came under their parents."""
    statement = (
        update(items)
        .where(items.c.connection == connection, items.c.id == bindparam("at_id"))
        .values(entered_on=bindparam("new_entered_on", type_=items.c.entered_on.type))
    )
    if days:
        await tx.execute(statement, [{"at_id": id_, "new_entered_on": day} for id_, day in days.items()])


async def mark(
    tx: Transaction,
    found: Stored,
    *,
    read_at: datetime,
    deleted_at: datetime | None = None,
    inaccessible_on: date | None = None,
) -> None:
    """Put a tombstone on an item: `deleted` leaves scope at once, `inaccessible` after its grace period.

    `read_at` is the start of the read that found it gone.
    """
    item = replace(found.item, deleted=deleted_at is not None, inaccessible=inaccessible_on is not None)
    await tx.execute(
        update(items)
        .where(items.c.connection == item.connection, items.c.id == item.id)
        .values(read_at=read_at, deleted_at=deleted_at, inaccessible_on=inaccessible_on, data=item)
    )


async def not_read_since(tx: Transaction, connection: str, instant: datetime) -> list[str]:
    """Return ids of items, not deleted, that no read has seen since an instant."""
    query = select(items.c.id).where(
        items.c.connection == connection, items.c.deleted_at.is_(None), items.c.read_at < instant
    )
    return list(await tx.scalars(query.order_by(items.c.id)))


async def start_census(tx: Transaction, connection: str) -> None:
    """Forget the ids of an earlier census."""
    await tx.execute(delete(census_ids).where(census_ids.c.connection == connection))


async def add_census(tx: Transaction, connection: str, ids: Sequence[str]) -> None:
    """Note ids that the tracker lists."""
    if ids:
        insert = (postgresql if tx.dialect.name == "postgresql" else sqlite).insert(census_ids)
        await tx.execute(insert.on_conflict_do_nothing(), [{"connection": connection, "id": id_} for id_ in ids])


async def census_gaps(tx: Transaction, connection: str) -> tuple[list[str], list[str]]:
    """Return (ids that the tracker lists and the store lacks, ids that the store has and the tracker does not list).

    What the store holds for out of sight it lacks: listed again, it is to be read again.
    """
    alive = select(items.c.id).where(items.c.connection == connection, items.c.deleted_at.is_(None))
    listed = select(census_ids.c.id).where(census_ids.c.connection == connection)
    seen = alive.where(items.c.inaccessible_on.is_(None))
    missing = await tx.scalars(listed.except_(seen).order_by("id"))
    extra = await tx.scalars(alive.except_(listed).order_by("id"))
    return list(missing), list(extra)


async def counts(tx: Transaction) -> dict[str, int]:
    """Return how many items, not deleted, each connection has."""
    query = select(items.c.connection, func.count()).where(items.c.deleted_at.is_(None)).group_by(items.c.connection)
    return {row[0]: row[1] for row in await tx.execute(query)}


async def unmapped_statuses(tx: Transaction) -> list[tuple[str, str, int]]:
    """Return (connection, status, items) of statuses that no category is known for."""
    status = items.c.data["status"].as_string()
    query = (
        select(items.c.connection, status, func.count())
        .where(items.c.flags.like("%unmapped_status%"), items.c.deleted_at.is_(None))
        .group_by(items.c.connection, status)
        .order_by(items.c.connection, status)
    )
    return [(row[0], row[1], row[2]) for row in await tx.execute(query)]


def entries(tx: Transaction, name: str) -> TableValuedAlias:
    """Return the texts of a list in `data` as rows with a `value`, to be looked at for each item."""
    if tx.dialect.name == "postgresql":
        return func.jsonb_array_elements_text(items.c.data[name]).table_valued("value")
    return func.json_each(items.c.data, f"$.{name}").table_valued("value")


def parts(ids: Sequence[Id]) -> Iterable[Sequence[Id]]:
    """Cut ids into pieces that fit into one statement."""
    return (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK))


def stored_of(row: Any) -> Stored:  # Any: a SQLAlchemy row of COLUMNS
    """Return the item of a row; its parent is the one that was found, where the payload named it by key alone."""
    return Stored(
        item=made_of({**row.data, "parent_id": row.parent_id}),
        read_at=row.read_at,
        scope=row.scope,
        own=own_links(row.own),
        dimensions=row.dimensions or {},
        history_at=row.history_at,
        mirror_of=row.mirror_of,
    )


def own_links(stored: Sequence[Mapping[str, Any]] | None) -> tuple[tuple[Link, bool], ...]:
    """Return an item's own links from their column; the flag says that a link adds to inherited ones (`also`)."""
    return tuple((Link(initiative=one["initiative"], rule=one["rule"]), one["also"]) for one in stored or ())


def item_of(data: dict[str, Any]) -> WorkItem:
    """Return the item that `data` was made of; links and dimensions are empty."""
    return made_of(dict(data))


def made_of(value: dict[str, Any]) -> WorkItem:
    """Return the item of its JSON object, which is used up."""
    for name in INSTANTS:
        if value[name] is not None:
            value[name] = datetime.fromisoformat(value[name])
    for name in ("start_date", "due_date"):
        if value[name] is not None:
            value[name] = date.fromisoformat(value[name])
    for name in TUPLES:
        value[name] = tuple(value[name])
    value["level"] = LEVELS[value["level"]]
    value["category"] = CATEGORIES[value["category"]]
    value["vendor_category"] = CATEGORIES[value["vendor_category"]]
    if value.get("vendor_level") is not None:
        value["vendor_level"] = LEVELS[value["vendor_level"]]
    value["links"] = ()
    return WorkItem(**value)


INSTANTS = ("updated_at", "created_at", "status_changed_at", "started_at", "completed_at", "canceled_at")
TUPLES = ("containers", "labels", "assignees", "flags", "blocked_by", "mirrors", "former_keys")
COLUMNS = (
    items.c.connection,
    items.c.id,
    items.c.parent_id,
    items.c.read_at,
    items.c.scope,
    items.c.own,
    items.c.dimensions,
    items.c.history_at,
    items.c.mirror_of,
    items.c.data,
)
