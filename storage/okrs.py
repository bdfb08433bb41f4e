"""What people state: check-ins, and the ids that the workspace file has or once had."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import and_, delete, func, insert, select, update

from domain.okr import CheckIn
from storage.checkpoints import upsert
from storage.engine import Transaction
from storage.tables import Base, Subject
from storage.tables import CheckIn as CheckInRow

subjects = Base.metadata.tables[Subject.__tablename__]
check_ins = Base.metadata.tables[CheckInRow.__tablename__]
CHECK_IN = (
    check_ins.c.key_result, check_ins.c.as_of, check_ins.c.value, check_ins.c.note, check_ins.c.by,
    check_ins.c.recorded_at,
)  # fmt: skip
"""what a check-in is made of"""


async def add_check_in(tx: Transaction, check_in: CheckIn) -> None:
    """Record a value; of several for one instant the latest recorded wins."""
    row = {
        "key_result": check_in.key_result,
        "as_of": check_in.as_of,
        "value": check_in.value,
        "note": check_in.note,
        "by": check_in.by,
        "recorded_at": check_in.recorded_at,
    }
    await tx.execute(insert(check_ins), [row])


async def all_check_ins(tx: Transaction) -> list[CheckIn]:
    """Return every check-in, oldest first."""
    query = select(*CHECK_IN).order_by(check_ins.c.as_of, check_ins.c.id)
    return [CheckIn(**row._mapping) for row in await tx.execute(query)]


async def latest_check_ins(tx: Transaction) -> dict[str, CheckIn]:
    """Return the check-in of each key result that is the latest by its date; of several the last recorded."""
    newest = select(check_ins.c.key_result, func.max(check_ins.c.as_of).label("at")).group_by(check_ins.c.key_result)
    last = newest.subquery()
    query = (
        select(*CHECK_IN)
        .join(last, and_(check_ins.c.key_result == last.c.key_result, check_ins.c.as_of == last.c.at))
        .order_by(check_ins.c.id)
    )
    return {row.key_result: CheckIn(**row._mapping) for row in await tx.execute(query)}


async def remember(tx: Transaction, known: Mapping[str, tuple[str, str]], renamed: Mapping[str, str]) -> None:
    """Note the ids of the file, as id -> (kind, title), and which left it; `renamed` maps old ids to new ones.

    A renamed id takes its check-ins along.
    """
    for old, new in renamed.items():
        await tx.execute(update(check_ins).where(check_ins.c.key_result == old).values(key_result=new))
        await tx.execute(delete(subjects).where(subjects.c.id == old))
    rows = [{"id": id_, "kind": kind, "title": title, "orphaned_at": None} for id_, (kind, title) in known.items()]
    if rows:
        await tx.execute(upsert(tx, subjects, ("kind", "title", "orphaned_at")), rows)
    gone = subjects.c.id.not_in(list(known)) & subjects.c.orphaned_at.is_(None)
    await tx.execute(update(subjects).where(gone).values(orphaned_at=datetime.now(UTC)))


async def orphaned(tx: Transaction) -> list[tuple[str, str, str]]:
    """Return (id, kind, title) of the ids that left the file."""
    query = select(subjects.c.id, subjects.c.kind, subjects.c.title).where(subjects.c.orphaned_at.is_not(None))
    return [(row.id, row.kind, row.title) for row in await tx.execute(query.order_by(subjects.c.id))]
