"""Items with what their past is told from, as many as can have counted for a subject since an instant.

Rows and transitions as they are stored; what they mean is decided in `sync.past`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, select

from domain.past import Known
from domain.work import Transition
from storage.engine import Transaction
from storage.items import items, own_links, parts, transitions
from storage.links import Ref, by_connection, scope_initiatives
from storage.rollups import BLOCKED, HAS_STANDARD_CHILDREN, measured


def columns(measure: str, dialect: str) -> tuple[ColumnElement[Any], ...]:
    """Return what `known_of` reads, in its order."""
    data = items.c.data
    texts = (data[name].as_string() for name in ("url", "tracker", "type", "status", "resolution"))
    instants = (data[name].as_string() for name in ("created_at", "started_at", "completed_at", "canceled_at"))
    return (
        items.c.connection, items.c.id, items.c.key, items.c.title, *texts, items.c.level, items.c.parent_id,
        items.c.category, items.c.stage, measured(measure, dialect), items.c.team, items.c.flags, items.c.own, BLOCKED,
        items.c.mirror_of, items.c.updated_at, items.c.history_at, *instants, items.c.deleted_at, items.c.completed_on,
        items.c.canceled_on, items.c.entered_on, items.c.inaccessible_on, HAS_STANDARD_CHILDREN,
    )  # fmt: skip


def known_of(row: Any, *, measured: bool) -> Known:  # Any: a SQLAlchemy row of `columns`
    """Return the item of a row; `measured` says that history tells of its size."""
    (
        connection, id_, key, title, url, tracker, type_, status, resolution, level, parent, category, stage, estimate,
        team, flags, own, blocked, mirror_of, updated_at, history_at, created_at, started_at, completed_at, canceled_at,
        deleted_at, completed_on, canceled_on, entered_on, inaccessible_on, standard_children,
    ) = row  # fmt: skip
    return Known(
        connection=connection, id=id_, key=key, title=title, url=url, tracker=tracker, type=type_, status=status,
        resolution=resolution, level=level, parent=parent, category=category, stage=stage, estimate=estimate,
        measured=measured, team=team, flags=flags, own=own_links(own), blocked=bool(blocked), mirror_of=mirror_of,
        updated_at=updated_at, history_at=history_at, created_at=datetime.fromisoformat(created_at),
        started_at=_instant(started_at), completed_at=_instant(completed_at), canceled_at=_instant(canceled_at),
        deleted_at=deleted_at, completed_on=completed_on, canceled_on=canceled_on, entered_on=entered_on,
        inaccessible_on=inaccessible_on, standard_children=bool(standard_children),
    )  # fmt: skip


async def involved(
    tx: Transaction,
    initiatives: Collection[str],
    since: datetime,
    *,
    measure: str = "estimate",
    fields: Collection[str] = (),
    below: Collection[Ref] = (),
) -> tuple[dict[Ref, Known], dict[Ref, list[Transition]]]:
    """Return the items that count or can have counted for initiatives since an instant, with all of their transitions.

    Those are what counts now with all below it, what was under any of it, copies of it, the items whose `fields`
    changed since, as rules look at those, and what stands or stood above. `below` adds items with all below them,
    whatever they count for.
    """
    gathered = Gathered(tx, measure)
    numbers = select(scope_initiatives.c.scope).where(scope_initiatives.c.initiative.in_(list(initiatives)))
    for chunk in parts(list(await tx.scalars(numbers.distinct()))):
        await gathered.take(items.c.scope.in_(chunk))
    await gathered.named(below)
    if fields:
        changed = select(transitions.c.connection, transitions.c.item_id).where(
            transitions.c.field.in_(sorted(fields)), transitions.c.at > since
        )
        await gathered.named({(row[0], row[1]) for row in await tx.execute(changed.distinct())})
    while gathered.fresh:
        newest, gathered.fresh = gathered.fresh, set()
        await gathered.follow(newest)
        for connection, ids in by_connection(newest):
            for chunk in parts(ids):
                left = select(transitions.c.item_id).where(
                    transitions.c.connection == connection,
                    transitions.c.field == "parent",
                    transitions.c.before_id.in_(chunk),
                    transitions.c.at > since,
                )
                await gathered.take(and_(items.c.connection == connection, items.c.parent_id.in_(chunk)))
                await gathered.take(and_(items.c.connection == connection, items.c.id.in_(left)))
                await gathered.take(items.c.mirror_of.in_([f"{connection}:{id_}" for id_ in chunk]))
    inner = frozenset(gathered.found)
    above = set(inner)
    while above:
        await gathered.named(gathered.above(above))
        above, gathered.fresh = gathered.fresh, set()
        await gathered.follow(above)
    found = {
        ref: known._replace(standard_children=None) if ref in inner else known for ref, known in gathered.found.items()
    }
    return found, gathered.past


class Gathered:
    """What was found so far; `fresh` are the items that nobody has looked around yet."""

    def __init__(self, tx: Transaction, measure: str) -> None:
        self.tx = tx
        self.asked = columns(measure, tx.dialect.name)
        self.is_told = measure == "estimate"
        self.found: dict[Ref, Known] = {}
        self.past: dict[Ref, list[Transition]] = {}
        self.fresh: set[Ref] = set()

    async def take(self, condition: ColumnElement[bool]) -> None:
        """Read the items of a condition that are not known yet."""
        for row in await self.tx.execute(select(*self.asked).where(condition)):
            ref = (row[0], row[1])
            if ref not in self.found:
                self.found[ref] = known_of(row, measured=self.is_told)
                self.fresh.add(ref)

    async def named(self, refs: Iterable[Ref]) -> None:
        """Read items by name."""
        for connection, ids in by_connection(set(refs) - self.found.keys()):
            for chunk in parts(ids):
                await self.take(and_(items.c.connection == connection, items.c.id.in_(chunk)))

    async def follow(self, refs: Iterable[Ref]) -> None:
        """Read the past of items."""
        self.past |= await transitions_of(self.tx, refs)

    def above(self, refs: Iterable[Ref]) -> set[Ref]:
        """Return what items stand or stood under, and what they are copies of."""
        found: set[Ref] = set()
        for ref in refs:
            named = {self.found[ref].parent}
            moves = (entry for entry in self.past.get(ref, ()) if entry.field == "parent")
            named.update(id_ for entry in moves for id_ in (entry.before_id, entry.after_id))
            found.update((ref[0], id_) for id_ in named if id_)
            if (leader := self.found[ref].mirror_of) is not None:
                connection, _, id_ = leader.partition(":")
                found.add((connection, id_))
        return found


async def transitions_of(tx: Transaction, refs: Iterable[Ref]) -> dict[Ref, list[Transition]]:
    """Return the known past of items."""
    found: dict[Ref, list[Transition]] = {}
    names = ("connection", "item_id", "id", "at", "field", "before", "after", "before_id", "after_id")
    asked = [transitions.c[name] for name in names]
    for connection, ids in by_connection(list(refs)):
        for chunk in parts(ids):
            query = select(*asked).where(transitions.c.connection == connection, transitions.c.item_id.in_(chunk))
            for row in await tx.execute(query):
                found.setdefault((row[0], row[1]), []).append(Transition(**dict(zip(names, row, strict=True))))
    return found


def _instant(stored: str | None) -> datetime | None:
    return datetime.fromisoformat(stored) if stored else None
