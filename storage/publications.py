"""The log of publishing: who told a place what, when, in place of what and why; and what else became of it.

It is only ever appended to; what a place says now is the ledger's, in `storage.outbox`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, insert, select

from storage.engine import Transaction
from storage.outbox import Place, columns_of, place_of
from storage.tables import Base, PublicationDeed

log = Base.metadata.tables[PublicationDeed.__tablename__]
NAMES = ("at", "key", "action", "by", "period", "reason", "fingerprint", "before", "after")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One entry. `key` is the address as people know it, `before` and `after` what the place said and says.

    `action` is ``created``, ``updated``, ``removed``, ``overridden``, ``released``, ``uncertain``, ``refused`` or, of a
    row in ``mode: dry_run``, ``would send``.
    """

    at: datetime
    place: Place
    key: str
    action: str
    by: str
    reason: str
    period: str = ""
    fingerprint: str = ""
    before: Mapping[str, object] | None = None
    after: Mapping[str, object] | None = None


async def note(tx: Transaction, deed: Deed) -> None:
    """Append an entry."""
    row = {**columns_of(deed.place), **{name: getattr(deed, name) for name in NAMES}}
    await tx.execute(insert(log), [row])


async def latest(tx: Transaction, action: str) -> dict[Place, Deed]:
    """Return the last entry of one action by place."""
    last = select(func.max(log.c.number)).where(log.c.action == action)
    last = last.group_by(log.c.target, log.c.kind, log.c.subject, log.c.address)
    rows = await tx.execute(select(log).where(log.c.number.in_(last)))
    return {deed.place: deed for deed in map(deed_of, rows)}


async def key_of(tx: Transaction, place: Place) -> str:
    """Return the address of a place as people knew it last; the vendor's id where nothing was noted of it."""
    here = (log.c[name] == value for name, value in columns_of(place).items())
    found: str | None = await tx.scalar(select(log.c.key).where(*here).order_by(log.c.number.desc()).limit(1))
    return place.address if found is None else found


async def every(tx: Transaction, *, size: int = 1000) -> AsyncIterator[list[Deed]]:
    """Yield all entries in the order that they were made, in chunks."""
    after = 0
    while True:
        rows = (await tx.execute(select(log).where(log.c.number > after).order_by(log.c.number).limit(size))).all()
        if rows:
            yield [deed_of(row) for row in rows]
            after = rows[-1].number
        if len(rows) < size:
            return


def deed_of(row: object) -> Deed:
    """Return the entry that a row holds."""
    return Deed(place=place_of(row), **{name: getattr(row, name) for name in NAMES})
