"""Deliveries as of past days, kept while neither the file nor any history changes.

What they are computed from, and how, is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from uuid import uuid4

from sqlalchemy import delete, select

from domain.facts import Flow, Progress
from storage.checkpoints import note, save_note, upsert
from storage.engine import Transaction
from storage.tables import Base, Past
from storage.views import subject

pasts = Base.metadata.tables[Past.__tablename__]

HISTORY = "history"
"""the note that is another one after each change of any item or its past"""


async def touch(tx: Transaction) -> None:
    """Note that an item or its past changed: what was kept does not hold any more."""
    await save_note(tx, HISTORY, uuid4().hex)


async def stamp(tx: Transaction, digest: str) -> str:
    """Return what kept deliveries hold under: the file of this digest, and all history as it is known now."""
    return f"{digest}/{await note(tx, HISTORY) or ''}"


async def load(tx: Transaction, day: date, stamp: str) -> dict[str, tuple[Progress, Flow]] | None:
    """Return delivery and flow by subject as of a day, None where they are not kept."""
    data = await tx.scalar(select(pasts.c.data).where(pasts.c.day == day, pasts.c.stamp == stamp))
    return {id_: subject(one) for id_, one in data.items()} if data is not None else None


async def save(tx: Transaction, day: date, stamp: str, subjects: Mapping[str, tuple[Progress, Flow]]) -> None:
    """Keep the deliveries of a day, and forget those that do not hold any more."""
    await tx.execute(delete(pasts).where(pasts.c.stamp != stamp))
    data = {
        id_: {
            "progress": asdict(progress),
            "flow": {
                "done": {at.isoformat(): n for at, n in sorted(flow.done.items())},
                "remaining": flow.remaining,
                "first": flow.first,
            },
        }
        for id_, (progress, flow) in subjects.items()
    }
    await tx.execute(upsert(tx, pasts, ("stamp", "data")), [{"day": day, "stamp": stamp, "data": data}])
