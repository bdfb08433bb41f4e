"""How items went from their first start to their last completion, what was taken up again, and what is not linked.

Only counts and days leave this module; what they mean is said in `rollup.flow` and `rollup.allocation`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from datetime import date, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import and_, func, or_, select

from storage.engine import Transaction
from storage.items import items, transitions
from storage.rollups import COUNTED, HAS_CHILDREN, HAS_STANDARD_CHILDREN, IS_SUBTASK

STARTED = items.c.data["started_at"].as_string()
LEAVES = {"lowest": ~HAS_CHILDREN, "standard": and_(~IS_SUBTASK, ~HAS_STANDARD_CHILDREN)}
"""what counts as one piece of work"""
ROWS = 5000
STEPS = 50
"""steps that are asked for in one statement"""


class Way(NamedTuple):
    """One item: the number of its scope, its team, the local days of its first start and its last completion."""

    scope: int
    team: str | None
    started_on: date | None
    completed_on: date | None


class Step(NamedTuple):
    """A change of status as history words it, with ids where the tracker gives them."""

    connection: str
    before: str | None
    before_id: str | None
    after: str | None
    after_id: str | None


async def ways(tx: Transaction, zone: ZoneInfo, *, leaf_level: str) -> AsyncIterator[Way]:
    """Yield each linked piece of work that is done, is under way, or was started and waits again.

    What is done on a day that nobody knows is left out.
    """
    query = select(items.c.scope, items.c.team, STARTED, items.c.completed_on).where(
        COUNTED,
        items.c.scope != 0,
        LEAVES.get(leaf_level, LEAVES["standard"]),
        or_(
            items.c.category == "in_progress",
            and_(items.c.category == "todo", STARTED.is_not(None)),
            and_(items.c.category == "done", items.c.completed_on.is_not(None)),
        ),
    )
    found = await tx.stream(query.execution_options(yield_per=ROWS))
    async for scope, team, started, completed_on in found:
        started_on = datetime.fromisoformat(started).astimezone(zone).date() if started else None
        yield Way(scope, team, started_on, completed_on)


async def steps(tx: Transaction) -> list[Step]:
    """Return each change of status that any item went through, once."""
    columns = [transitions.c[name] for name in Step._fields]
    return [Step(*row) for row in await tx.execute(select(*columns).where(transitions.c.field == "status").distinct())]


async def times(tx: Transaction, wanted: Collection[Step]) -> dict[tuple[int, str | None], int]:
    """Return how often linked items went through some steps, by scope and team."""
    found: dict[tuple[int, str | None], int] = {}
    whose = and_(items.c.connection == transitions.c.connection, items.c.id == transitions.c.item_id)
    asked = [
        and_(*(transitions.c[name].is_not_distinct_from(said) for name, said in one._asdict().items()))
        for one in sorted(wanted, key=repr)
    ]
    for start in range(0, len(asked), STEPS):
        taken = or_(*asked[start : start + STEPS])
        query = select(items.c.scope, items.c.team, func.count()).select_from(transitions.join(items, whose))
        query = query.where(transitions.c.field == "status", taken, COUNTED, items.c.scope != 0)
        for scope, team, count in await tx.execute(query.group_by(items.c.scope, items.c.team)):
            found[scope, team] = found.get((scope, team), 0) + count
    return found


async def loose(tx: Transaction) -> list[tuple[Mapping[str, Any], str | None, int]]:
    """Return how many items below epics count for no initiative, by their own dimensions and their team."""
    query = select(items.c.dimensions, items.c.team, func.count()).where(
        COUNTED, items.c.scope == 0, items.c.level.not_in(("initiative", "epic")), items.c.category != "canceled"
    )
    rows = await tx.execute(query.group_by(items.c.dimensions, items.c.team))
    return [(dimensions or {}, team, count) for dimensions, team, count in rows]
