"""The report of each day as it was shown: written once a day and never changed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from storage.engine import Transaction
from storage.tables import Base, Snapshot

snapshots = Base.metadata.tables[Snapshot.__tablename__]


async def keep(tx: Transaction, day: date, at: datetime, file: str, report: Mapping[str, Any]) -> bool:
    """Keep the report of a day, made under a file of this digest; return whether it is the first of that day."""
    insert = (postgresql if tx.dialect.name == "postgresql" else sqlite).insert(snapshots)
    row = {"day": day, "at": at, "file": file, "report": dict(report)}
    kept = await tx.execute(insert.on_conflict_do_nothing().returning(snapshots.c.day), row)
    return kept.one_or_none() is not None


async def has(tx: Transaction, day: date) -> bool:
    """Return whether the report of a day is kept."""
    return await tx.scalar(select(snapshots.c.day).where(snapshots.c.day == day)) is not None
