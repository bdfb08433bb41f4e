"""Which initiatives an item counts for: the links in effect, interned as scopes, and the tree they come down.

The order of the walk and what a link means are decided in `sync`; here is only what is read and written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import and_, bindparam, case, delete, func, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import ColumnElement

from domain.work import Level, Link
from storage.engine import Transaction, dumps, loads
from storage.items import blockers, items, mirrors, own_links, parts
from storage.tables import Base, Created, Scope, ScopeInitiative

scopes = Base.metadata.tables[Scope.__tablename__]
scope_initiatives = Base.metadata.tables[ScopeInitiative.__tablename__]
created = Base.metadata.tables[Created.__tablename__]

Ref = tuple[str, str]
"""(connection, id)"""


class Place(NamedTuple):
    """What inheritance needs to know of an item."""

    connection: str
    id: str
    key: str
    parent_id: str | None
    own: tuple[tuple[Link, bool], ...]
    """links of its own; the flag says that the link adds to inherited ones (`also`)"""
    scope: int


async def intern(tx: Transaction, wanted: Collection[tuple[Link, ...]]) -> dict[tuple[Link, ...], int]:
    """Return the number of each list of links, storing those that are new; 0 is the empty list."""
    texts = {text_of(links): links for links in wanted if links}
    numbers = await known_scopes(tx, list(texts))
    new = {text: links for text, links in texts.items() if text not in numbers}
    if new:
        insert = (postgresql if tx.dialect.name == "postgresql" else sqlite).insert
        await tx.execute(insert(scopes).on_conflict_do_nothing(), [{"links": text} for text in new])
        numbers |= await known_scopes(tx, list(new))
        rows = [
            {"initiative": initiative, "scope": numbers[text]}
            for text, links in new.items()
            for initiative in sorted({link.initiative for link in links})
        ]
        await tx.execute(insert(scope_initiatives).on_conflict_do_nothing(), rows)
    return {(): 0, **{links: numbers[text] for text, links in texts.items()}}


async def known_scopes(tx: Transaction, texts: Sequence[str]) -> dict[str, int]:
    """Return the numbers of the scopes among `texts` that are stored."""
    found: dict[str, int] = {}
    for part in parts(texts):
        query = select(scopes.c.links, scopes.c.id).where(scopes.c.links.in_(part))
        found.update({row.links: row.id for row in await tx.execute(query)})
    return found


def text_of(links: Sequence[Link]) -> str:
    """Return the canonical text of a list of links."""
    return orjson.dumps([[link.initiative, link.rule, link.inherited_from] for link in links]).decode()


async def load_scopes(tx: Transaction, numbers: Collection[int] | None = None) -> dict[int, tuple[Link, ...]]:
    """Return the links of scopes by number; all of them where none are named."""
    query = select(scopes.c.id, scopes.c.links)
    if numbers is not None:
        query = query.where(scopes.c.id.in_(list(numbers)))
    found = {row.id: links_of(row.links) for row in await tx.execute(query)}
    found[0] = ()
    return found


def links_of(text: str) -> tuple[Link, ...]:
    """Return the links that a scope's text stands for."""
    return tuple(Link(initiative=one, rule=rule, inherited_from=source) for one, rule, source in orjson.loads(text))


async def drop_unused(tx: Transaction) -> None:
    """Forget scopes that no item has."""
    used = select(items.c.scope).distinct()
    await tx.execute(delete(scope_initiatives).where(scope_initiatives.c.scope.not_in(used)))
    await tx.execute(delete(scopes).where(scopes.c.id.not_in(used)))


async def resolve_parents(tx: Transaction) -> list[Ref]:
    """Find the parents that payloads name by key alone; return the items that got one."""
    parent = items.alias("parent")
    known = select(parent.c.id).where(parent.c.connection == items.c.connection, parent.c.key == items.c.parent_key)
    statement = (
        update(items)
        .where(items.c.parent_id.is_(None), items.c.parent_key.is_not(None), known.exists())
        .values(parent_id=known.limit(1).scalar_subquery())
        .returning(items.c.connection, items.c.id)
    )
    return [(row[0], row[1]) for row in await tx.execute(statement)]


async def parents(tx: Transaction) -> dict[Ref, Place]:
    """Return every item that has children."""
    child = items.alias("child")
    has_children = (
        select(child.c.id).where(child.c.connection == items.c.connection, child.c.parent_id == items.c.id).exists()
    )
    return {(row.connection, row.id): place(row) for row in await tx.execute(select(*PLACE).where(has_children))}


async def places(tx: Transaction, refs: Collection[Ref]) -> dict[Ref, Place]:
    """Return the named items."""
    found: dict[Ref, Place] = {}
    for connection, ids in by_connection(refs):
        for part in parts(ids):
            query = select(*PLACE).where(items.c.connection == connection, items.c.id.in_(part))
            found.update({(row.connection, row.id): place(row) for row in await tx.execute(query)})
    return found


async def children(tx: Transaction, refs: Collection[Ref]) -> dict[Ref, Place]:
    """Return the items whose structural parent is one of `refs`."""
    found: dict[Ref, Place] = {}
    for connection, ids in by_connection(refs):
        for part in parts(ids):
            query = select(*PLACE).where(items.c.connection == connection, items.c.parent_id.in_(part))
            found.update({(row.connection, row.id): place(row) for row in await tx.execute(query)})
    return found


async def linked_themselves(tx: Transaction) -> list[Place]:
    """Return the items with links of their own."""
    return [place(row) for row in await tx.execute(select(*PLACE).where(items.c.own.is_not(None)))]


async def scope_numbers(tx: Transaction) -> dict[Ref, int]:
    """Return the scope of every item."""
    return {(row[0], row[1]): row[2] for row in await tx.execute(select(items.c.connection, items.c.id, items.c.scope))}


async def set_scopes(tx: Transaction, changes: Mapping[Ref, int]) -> None:
    """Write the scopes of items one by one."""
    if changes:
        statement = (
            update(items)
            .where(items.c.connection == bindparam("at_connection"), items.c.id == bindparam("at_id"))
            .values(scope=bindparam("new_scope"))
        )
        rows = [{"at_connection": ref[0], "at_id": ref[1], "new_scope": scope} for ref, scope in changes.items()]
        await tx.execute(statement, rows)


async def set_scopes_below(tx: Transaction, changes: Mapping[Ref, int]) -> None:
    """Write the scope of the children of items, those with links of their own left out; a deleted item has no say."""
    if not changes:
        return
    gone = items.alias("gone")
    deleted = select(gone.c.id).where(
        gone.c.connection == bindparam("at_connection"),
        gone.c.id == bindparam("at_parent"),
        gone.c.deleted_at.is_not(None),
    )
    statement = (
        update(items)
        .where(
            items.c.connection == bindparam("at_connection"),
            items.c.parent_id == bindparam("at_parent"),
            items.c.own.is_(None),
            items.c.scope != bindparam("new_scope"),
            ~deleted.exists(),
        )
        .values(scope=bindparam("new_scope"))
    )
    rows = [{"at_connection": ref[0], "at_parent": ref[1], "new_scope": scope} for ref, scope in changes.items()]
    await tx.execute(statement, rows)


async def clear_orphans(tx: Transaction) -> None:
    """Take the scope from items that have neither links of their own nor a parent in the store, deleted ones aside."""
    parent = items.alias("parent")
    known = select(parent.c.id).where(
        parent.c.connection == items.c.connection, parent.c.id == items.c.parent_id, parent.c.deleted_at.is_(None)
    )
    await tx.execute(update(items).where(items.c.scope != 0, items.c.own.is_(None), ~known.exists()).values(scope=0))


async def initiatives_of(tx: Transaction, refs: Collection[Ref]) -> set[str]:
    """Return the initiatives that the named items count for."""
    found: set[str] = set()
    for connection, ids in by_connection(refs):
        for part in parts(ids):
            found |= await initiatives_where(tx, and_(items.c.connection == connection, items.c.id.in_(part)))
    return found


async def initiatives_where(tx: Transaction, condition: ColumnElement[bool]) -> set[str]:
    """Return the initiatives that the items of a condition count for."""
    # Joined, SQLite would begin with the scopes; asked for distinct ones, with their index: both look at every item.
    numbers = list(set(await tx.scalars(select(items.c.scope).where(condition))))
    query = select(scope_initiatives.c.initiative).where(scope_initiatives.c.scope.in_(numbers)).distinct()
    return set(await tx.scalars(query))


async def parents_above(tx: Transaction, refs: Collection[Ref]) -> set[Ref]:
    """Return the structural parents of items, whether they are in the store or not."""
    found: set[Ref] = set()
    for connection, ids in by_connection(refs):
        for part in parts(ids):
            # Asked for distinct ones, SQLite would read them off the index of all parents.
            query = select(items.c.parent_id).where(items.c.connection == connection, items.c.id.in_(part))
            found.update((connection, id_) for id_ in await tx.scalars(query) if id_ is not None)
    return found


async def initiatives_near(tx: Transaction, refs: Collection[Ref]) -> set[str]:
    """Return the initiatives of items, of all below and of those that wait for them: whose facts they may change."""
    found: set[str] = set()
    for condition in near(refs):
        found |= await initiatives_where(tx, condition)
    return found


def near(refs: Collection[Ref]) -> list[ColumnElement[bool]]:
    """Return conditions, each for one statement, which name items, all below and those that wait for them."""
    found: list[ColumnElement[bool]] = []
    child = items.alias("child")
    for connection, ids in by_connection(refs):
        for part in parts(ids):
            top = select(items.c.id).where(items.c.connection == connection, items.c.id.in_(part))
            below = top.cte("below", recursive=True)
            below = below.union(
                select(child.c.id).where(child.c.connection == connection, child.c.parent_id == below.c.id)
            )
            waiting = select(blockers.c.item_id).where(
                blockers.c.connection == connection, blockers.c.blocker_id.in_(part)
            )
            found.append(and_(items.c.connection == connection, items.c.id.in_(select(below.c.id).union(waiting))))
    return found


async def copies(tx: Transaction) -> set[Ref]:
    """Return the items that another one stands for."""
    query = select(items.c.connection, items.c.id).where(items.c.mirror_of.is_not(None))
    return {(row[0], row[1]) for row in await tx.execute(query)}


async def mirrored(tx: Transaction) -> list[tuple[Ref, str]]:
    """Return the items that are not deleted with each address at which a tracker says that they are kept too."""
    query = (
        select(mirrors.c.connection, mirrors.c.item_id, mirrors.c.address)
        .join(items, and_(items.c.connection == mirrors.c.connection, items.c.id == mirrors.c.item_id))
        .where(items.c.deleted_at.is_(None))
        .order_by(mirrors.c.connection, mirrors.c.item_id, mirrors.c.address)
    )
    return [((row[0], row[1]), row[2]) for row in await tx.execute(query)]


async def any_mirrored(tx: Transaction) -> bool:
    """Return whether a tracker says of any item that it is kept elsewhere too, or any was marked as a copy."""
    stated = await tx.scalar(select(mirrors.c.item_id).limit(1))
    return stated is not None or bool(await copies(tx))


async def set_mirrors(tx: Transaction, followers: Mapping[Ref, Ref]) -> None:
    """Mark the copies of work that another item stands for, and no others."""
    await tx.execute(update(items).where(items.c.mirror_of.is_not(None)).values(mirror_of=None))
    if followers:
        statement = (
            update(items)
            .where(items.c.connection == bindparam("at_connection"), items.c.id == bindparam("at_id"))
            .values(mirror_of=bindparam("leader"))
        )
        rows = [
            {"at_connection": ref[0], "at_id": ref[1], "leader": f"{leader[0]}:{leader[1]}"}
            for ref, leader in followers.items()
        ]
        await tx.execute(statement, rows)


async def epics_of(tx: Transaction, initiatives: Sequence[str], connection: str | None) -> dict[str, list[str]]:
    """Return the ids of the epics that count for any of some initiatives, by connection; of one, or of all."""
    found: dict[str, set[str]] = {}
    for part in parts(initiatives):
        query = (
            select(items.c.connection, items.c.id)
            .join(scope_initiatives, items.c.scope == scope_initiatives.c.scope)
            .where(
                scope_initiatives.c.initiative.in_(part),
                items.c.level == Level.EPIC.value,
                items.c.deleted_at.is_(None),
            )
        )
        if connection is not None:
            query = query.where(items.c.connection == connection)
        for row in await tx.execute(query):
            found.setdefault(row.connection, set()).add(row.id)
    return {name: sorted(ids) for name, ids in found.items()}


async def refs_of_keys(tx: Transaction, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Ref]:
    """Return the items, not deleted, of (connection, key) pairs; keys compare without case."""
    wanted = {(connection, key.lower()): (connection, key) for connection, key in keys}
    found: dict[tuple[str, str], Ref] = {}
    if not wanted:
        return found
    query = select(items.c.connection, items.c.id, items.c.key).where(
        tuple_(items.c.connection, func.lower(items.c.key)).in_(list(wanted)), items.c.deleted_at.is_(None)
    )
    for row in await tx.execute(query):
        found[wanted[(row.connection, row.key.lower())]] = (row.connection, row.id)
    return found


async def unlinked(tx: Transaction) -> tuple[int, int]:
    """Return (epics and above, items below) that no initiative counts, canceled ones left out."""
    epic = items.c.level.in_(("initiative", "epic"))
    query = select(epic, func.count()).where(NOT_LINKED).group_by(epic)
    found = {bool(row[0]): row[1] for row in await tx.execute(query)}
    return found.get(True, 0), found.get(False, 0)


async def save_created(tx: Transaction, rows: Sequence[Mapping[str, object]], gone: Collection[Ref]) -> set[str]:
    """Keep the initiatives that rules made of items, and forget those of items that make none any more.

    Return the ids of those that appear, differ or vanish, and of the key results that they serve or served.
    """
    before: dict[str, Any] = {}  # Any: a JSON document
    for connection, ids in by_connection(gone):
        for part in parts(ids):
            theirs = and_(created.c.connection == connection, created.c.item_id.in_(part))
            found = {row.id: row.data for row in await tx.execute(select(created.c.id, created.c.data).where(theirs))}
            if found:
                before |= found
                await tx.execute(delete(created).where(theirs))
    if rows:
        insert = (postgresql if tx.dialect.name == "postgresql" else sqlite).insert(created)
        update_ = {name: insert.excluded[name] for name in ("connection", "item_id", "data")}
        await tx.execute(insert.on_conflict_do_update(index_elements=["id"], set_=update_), list(rows))
    after = {str(row["id"]): loads(dumps(row["data"])) for row in rows}
    touched = {id_ for id_ in before.keys() | after.keys() if before.get(id_) != after.get(id_)}
    states = [state for id_ in touched for state in (before.get(id_), after.get(id_)) if state is not None]
    return touched | {one["to"] for state in states for one in state["contributes"]}


async def load_created(tx: Transaction) -> dict[str, dict[str, Any]]:  # Any: JSON
    """Return the initiatives that rules made, by id."""
    return {row.id: row.data for row in await tx.execute(select(created.c.id, created.c.data).order_by(created.c.id))}


async def forget_created(tx: Transaction) -> None:
    """Forget all initiatives that rules made; a full re-mapping makes them anew."""
    await tx.execute(delete(created))


def by_connection(refs: Collection[Ref]) -> list[tuple[str, list[str]]]:
    """Group refs by connection, in a fixed order."""
    groups: dict[str, list[str]] = {}
    for connection, id_ in sorted(refs):
        groups.setdefault(connection, []).append(id_)
    return list(groups.items())


def place(row: Any) -> Place:  # Any: a SQLAlchemy row
    """Return the place of a row of PLACE."""
    connection, id_, key, parent_id, own, scope = row
    return Place(connection, id_, key, parent_id, own_links(own), scope)


buried = items.alias("buried")
STANDING_PARENT = case(
    (
        select(buried.c.id)
        .where(
            buried.c.connection == items.c.connection,
            buried.c.id == items.c.parent_id,
            buried.c.deleted_at.is_not(None),
        )
        .exists(),
        None,
    ),
    else_=items.c.parent_id,
)
"""the structural parent, None where it is deleted: nothing comes down from there"""
PLACE = (items.c.connection, items.c.id, items.c.key, STANDING_PARENT, items.c.own, items.c.scope)
NOT_LINKED: ColumnElement[bool] = and_(
    items.c.scope == 0,
    items.c.deleted_at.is_(None),
    items.c.mirror_of.is_(None),
    items.c.category != "canceled",
)


async def linked_at(tx: Transaction, connection: str, level: Level) -> dict[str, list[tuple[str, str]]]:
    """Return (id, key) of the items of a level by the initiatives that they count for.

    Below epics these are the items alone that are linked themselves: what an epic's links bring along is told there.
    """
    query = (
        select(scope_initiatives.c.initiative, items.c.id, items.c.key)
        .join(items, items.c.scope == scope_initiatives.c.scope)
        .where(items.c.connection == connection, items.c.level == level.value, items.c.deleted_at.is_(None))
        .order_by(scope_initiatives.c.initiative, items.c.key)
    )
    if level in (Level.ISSUE, Level.SUBTASK):
        query = query.where(items.c.own.is_not(None))
    found: dict[str, list[tuple[str, str]]] = {}
    for row in await tx.execute(query):
        found.setdefault(row.initiative, []).append((row.id, row.key))
    return found
