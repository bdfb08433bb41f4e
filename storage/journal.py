"""What was published, and when: each rollup as it was shown or sent, appended where it differs, never restated.

Entries are the report's own; which of them are compared how is decided in `sync.journal`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import func, insert, select

from storage.engine import Transaction
from storage.items import parts
from storage.tables import Base, Journal

journal = Base.metadata.tables[Journal.__tablename__]


class Published(NamedTuple):
    """One entry: `how` it was published (``shown``, ``sent``), `entry` None where the subject had left the file.

    `file` is the digest of the workspace file, `complete_to` up to when its sources were complete.
    """

    at: datetime
    kind: str
    id: str
    how: str
    file: str
    complete_to: datetime | None
    fingerprint: str
    entry: Mapping[str, Any] | None  # Any: JSON of the report


async def append(tx: Transaction, rows: Sequence[Published]) -> None:
    """Append entries."""
    if rows:
        await tx.execute(insert(journal), [row._asdict() for row in rows])


async def latest(tx: Transaction, ids: Collection[str] | None = None) -> dict[tuple[str, str], tuple[str, str]]:
    """Return the fingerprint and the way of the last entry of subjects (None: of all) by kind and id."""
    found: dict[tuple[str, str], tuple[str, str]] = {}
    for chunk in [None] if ids is None else parts(sorted(ids)):
        last = select(func.max(journal.c.number)).group_by(journal.c.kind, journal.c.id)
        if chunk is not None:
            last = last.where(journal.c.id.in_(chunk))
        query = select(journal.c.kind, journal.c.id, journal.c.fingerprint, journal.c.how)
        for row in await tx.execute(query.where(journal.c.number.in_(last))):
            found[row.kind, row.id] = (row.fingerprint, row.how)
    return found


async def as_of(tx: Transaction, at: datetime, id_: str | None = None) -> list[Published]:
    """Return the last entry of each subject (or of one id) by an instant, in the order of their publication."""
    last = select(func.max(journal.c.number)).where(journal.c.at <= at).group_by(journal.c.kind, journal.c.id)
    if id_ is not None:
        last = last.where(journal.c.id == id_)
    names = [journal.c[name] for name in Published._fields]
    query = select(*names).where(journal.c.number.in_(last)).order_by(journal.c.number)
    return [Published(*row) for row in await tx.execute(query)]


async def began(tx: Transaction) -> datetime | None:
    """Return when the first entry was written."""
    found: datetime | None = await tx.scalar(select(journal.c.at).order_by(journal.c.number).limit(1))
    return found
