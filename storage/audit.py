"""The account of what people changed: appended in the transaction of the change itself, never changed.

What is worth an entry is decided by who writes; no secret is ever in one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select

from storage.engine import Transaction
from storage.tables import Audit, Base

audit = Base.metadata.tables[Audit.__tablename__]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What somebody did; `via` is how they were known, `address` where they came from."""

    at: datetime
    by: str
    via: str
    action: str
    subject: str
    address: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)  # Any: a JSON value


async def note(tx: Transaction, deed: Deed) -> None:
    """Append what somebody did."""
    row = {name: getattr(deed, name) for name in ("at", "by", "via", "address", "action", "subject")}
    await tx.execute(insert(audit), [{**row, "detail": dict(deed.detail)}])


async def deeds(tx: Transaction, *, before: int | None = None, limit: int = 100) -> list[tuple[int, Deed]]:
    """Return what was done, with its number, the latest first; `before` goes on below a number."""
    query = select(audit).order_by(audit.c.number.desc()).limit(limit)
    if before is not None:
        query = query.where(audit.c.number < before)
    rows = [dict(row._mapping) for row in await tx.execute(query)]
    return [(row.pop("number"), Deed(**row)) for row in rows]
