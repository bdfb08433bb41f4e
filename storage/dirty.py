"""What moved and no rollup has seen yet: noted in the transaction that moves it, taken in the one that computes it.

A process that dies between the two loses nothing, and any other goes on from here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from sqlalchemy import delete, func, insert, select

from storage import pasts
from storage.engine import Transaction
from storage.links import Ref
from storage.tables import Base, Dirty

dirty = Base.metadata.tables[Dirty.__tablename__]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What waits for its rollup; `unmapped` are items that the rules of the present file have not seen."""

    items: set[Ref] = field(default_factory=set)
    loose: set[Ref] = field(default_factory=set)
    initiatives: set[str] = field(default_factory=set)
    unmapped: set[Ref] = field(default_factory=set)


async def note(
    tx: Transaction,
    *,
    items: Collection[Ref] = (),
    loose: Collection[Ref] = (),
    initiatives: Collection[str] = (),
    unmapped: Collection[Ref] = (),
) -> None:
    """Note what moved."""
    rows = [
        *rows_of("item", items),
        *rows_of("loose", loose),
        *rows_of("initiative", (("", id_) for id_ in initiatives)),
        *rows_of("unmapped", unmapped),
    ]
    if rows:
        await tx.execute(insert(dirty), rows)
        await pasts.touch(tx)


async def take(tx: Transaction) -> Moved:
    """Return all that waits, and forget it."""
    found: dict[str, set[Ref]] = {"item": set(), "loose": set(), "initiative": set(), "unmapped": set()}
    query = delete(dirty).returning(dirty.c.kind, dirty.c.connection, dirty.c.ref)
    for kind, connection, ref in await tx.execute(query):
        found[kind].add((connection, ref))
    return Moved(
        items=found["item"],
        loose=found["loose"],
        initiatives={ref for _, ref in found["initiative"]},
        unmapped=found["unmapped"],
    )


async def count(tx: Transaction) -> int:
    """Return how many notes wait."""
    return int(await tx.scalar(select(func.count()).select_from(dirty)) or 0)


def rows_of(kind: str, refs: Iterable[Ref]) -> list[dict[str, str]]:
    """Return rows in an order of their own, so that two runs write the same."""
    return [{"kind": kind, "connection": connection, "ref": ref} for connection, ref in sorted(refs)]
