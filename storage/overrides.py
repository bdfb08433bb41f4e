"""What people say in place of what is computed: overrides of health, and since when the file states a value itself.

Rows are only ever added for overrides, so that who said what, and when, stays known.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from sqlalchemy import delete, insert, select, update

from domain.okr import Health, Override
from storage.checkpoints import upsert
from storage.engine import Transaction
from storage.tables import Base, ManualRollup
from storage.tables import Override as OverrideRow
from storage.views import stated

overrides = Base.metadata.tables[OverrideRow.__tablename__]
manual_rollups = Base.metadata.tables[ManualRollup.__tablename__]


async def say(
    tx: Transaction, subject: str, health: Health, *, until: date, by: str, reason: str, at: datetime
) -> None:
    """Record a person's word on the health of a subject, until a day (inclusive)."""
    row = {"subject": subject, "health": health.value, "until": until, "by": by, "reason": reason, "at": at}
    await tx.execute(insert(overrides), [row])


async def take_back(tx: Transaction, subject: str, *, by: str, reason: str, at: datetime) -> None:
    """Record that what was said of a subject holds no longer."""
    row = {"subject": subject, "health": None, "until": None, "by": by, "reason": reason, "at": at}
    await tx.execute(insert(overrides), [row])


async def all_overrides(tx: Transaction) -> list[Override]:
    """Return everything that was ever said of health, oldest first, with when it was taken back."""
    o = overrides.c
    return stated(await tx.execute(select(o.subject, o.health, o.until, o.by, o.reason, o.at).order_by(o.id)))


async def rename(tx: Transaction, renamed: Mapping[str, str]) -> None:
    """Give what was said of ids that the file no longer has to those that took their place."""
    for old, new in renamed.items():
        await tx.execute(update(overrides).where(overrides.c.subject == old).values(subject=new))


async def note_manual(tx: Transaction, statements: Mapping[str, str], day: date) -> None:
    """Note the values that the file states without an end, by objective: each from the day it was first seen."""
    query = select(manual_rollups.c.objective, manual_rollups.c.statement)
    known = {row.objective: row.statement for row in await tx.execute(query)}
    gone = [objective for objective in known if objective not in statements]
    if gone:
        await tx.execute(delete(manual_rollups).where(manual_rollups.c.objective.in_(gone)))
    rows = [
        {"objective": objective, "statement": statement, "since": day}
        for objective, statement in statements.items()
        if known.get(objective) != statement
    ]
    if rows:
        await tx.execute(upsert(tx, manual_rollups, ("statement", "since")), rows)
