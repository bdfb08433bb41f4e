"""Jobs of the service that did not end well: counted before they begin, so that one which kills its process is too."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select

from storage.checkpoints import upsert
from storage.engine import Transaction
from storage.inbox import shown
from storage.tables import Base, Setback

setbacks = Base.metadata.tables[Setback.__tablename__]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A job that did not end well `attempts` times in a row, why, and when it may be tried again.

    `error` is empty while it runs, and stays so where its process died of it.
    """

    job: str
    key: str
    attempts: int
    error: str
    retry_at: datetime


async def of_job(tx: Transaction, job: str, key: str) -> Failed | None:
    """Return how often a job has failed since it last ended well, None where it has not."""
    query = select(setbacks).where(setbacks.c.job == job, setbacks.c.key == key)
    row = (await tx.execute(query)).one_or_none()
    return Failed(**row._mapping) if row is not None else None


async def save(tx: Transaction, failed: Failed) -> None:
    """Note a failure, or that an attempt begins which may be one."""
    row = {
        "job": failed.job,
        "key": failed.key,
        "attempts": failed.attempts,
        "error": shown(failed.error),
        "retry_at": failed.retry_at,
    }
    await tx.execute(upsert(tx, setbacks, ("attempts", "error", "retry_at")), [row])


async def clear(tx: Transaction, job: str, key: str) -> None:
    """Forget the failures of a job: it ended well."""
    await tx.execute(delete(setbacks).where(setbacks.c.job == job, setbacks.c.key == key))


async def every(tx: Transaction) -> list[Failed]:
    """Return all jobs that failed, longest due first."""
    rows = await tx.execute(select(setbacks).order_by(setbacks.c.retry_at, setbacks.c.job, setbacks.c.key))
    return [Failed(**row._mapping) for row in rows]
