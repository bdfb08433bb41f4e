"""The outbox and the ledger: what is to be told, and what a place was last told by us.

One row per target, subject and address: changes that come before a send fold into it and keep its first due time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Table, delete, insert, or_, select, update

from storage.checkpoints import upsert
from storage.engine import Transaction
from storage.tables import Base, Outgoing, Publication

outbox = Base.metadata.tables[Outgoing.__tablename__]
publications = Base.metadata.tables[Publication.__tablename__]


MAY_SAY = "may_say"
"""under which name the ledger keeps what a place may say since a write whose answer nobody saw; None is nothing"""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Place:
    """Where one subject is told: its natural key without the workspace."""

    target: str
    kind: str
    subject: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A row of the outbox. `action` is ``update`` or ``delete``; `content` is what the place shall say."""

    place: Place
    content: Mapping[str, object]
    fingerprint: str
    action: str
    reason: str
    first_due_at: datetime
    state: str = "due"
    attempts: int = 0
    error: str | None = None
    period: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What a place was last told, and in which period; `entry` is the vendor's id of what we wrote there.

    `state` is ``told``, ``sending`` while the outcome of a call is not known, or ``uncertain`` where it never will be.
    """

    place: Place
    content: Mapping[str, object]
    fingerprint: str
    sent_at: datetime
    overridden_at: datetime | None
    entry: str | None = None
    period: str = ""
    state: str = "told"


async def enqueue(tx: Transaction, due: Due) -> None:
    """Put a row, or fold it into the one that waits; one that failed stays failed until it says another thing."""
    row = {
        **columns_of(due.place),
        "content": dict(due.content),
        "fingerprint": due.fingerprint,
        "action": due.action,
        "reason": due.reason,
        "first_due_at": due.first_due_at,
        "state": "due",
        "attempts": 0,
        "error": None,
        "period": due.period,
    }
    same = (outbox.c.fingerprint == due.fingerprint, outbox.c.action == due.action)
    folded = {name: row[name] for name in ("content", "reason", "period")}
    again = update(outbox).where(*at(outbox, due.place), *same).values(folded).returning(outbox.c.target)
    if (await tx.execute(again)).first() is None:
        names = ("content", "fingerprint", "action", "reason", "state", "attempts", "error", "period")
        await tx.execute(upsert(tx, outbox, names), [row])


async def withdraw(tx: Transaction, place: Place) -> None:
    """Take a row back: the place says it already."""
    await tx.execute(delete(outbox).where(*at(outbox, place)))


async def waiting(tx: Transaction) -> list[Due]:
    """Return the outbox, longest due first."""
    query = select(outbox).order_by(outbox.c.first_due_at, outbox.c.target, outbox.c.subject, outbox.c.address)
    return [
        Due(
            place=place_of(row),
            content=row.content,
            fingerprint=row.fingerprint,
            action=row.action,
            reason=row.reason,
            first_due_at=row.first_due_at,
            state=row.state,
            attempts=row.attempts,
            error=row.error,
            period=row.period,
        )
        for row in await tx.execute(query)
    ]


async def attempt(tx: Transaction, told: Published, may_say: Sequence[Mapping[str, object] | None]) -> None:
    """Note before a write what the place may say after it, whether or not we live to see the answer.

    What `remember` then writes takes the note back; until it does, none of it is a human's.
    """
    content = {**told.content, MAY_SAY: list(may_say)}
    await tx.execute(update(publications).where(*at(publications, told.place)).values(content=content))


async def fail(tx: Transaction, place: Place, error: str, *, final: bool) -> None:
    """Note a failed attempt; `final` rows wait for a change or a person."""
    await tx.execute(
        update(outbox)
        .where(*at(outbox, place))
        .values(attempts=outbox.c.attempts + 1, error=error, state="failed" if final else "due")
    )


async def begin(tx: Transaction, due: Due, started_at: datetime) -> None:
    """Note before a call that cannot be looked up what it says: it counts as said until we know that it was not."""
    await put(tx, due, started_at, state="sending")


async def take_back(tx: Transaction, place: Place, told: Published | None) -> None:
    """Undo `begin` after a call that was certainly not carried out: the ledger says what it said before."""
    await tx.execute(delete(publications).where(*at(publications, place)))
    if told is not None:
        names = ("content", "fingerprint", "sent_at", "overridden_at", "entry", "period", "state")
        row = {**columns_of(place), **{name: getattr(told, name) for name in names}}
        await tx.execute(insert(publications), [row])


async def doubt(tx: Transaction, place: Place) -> None:
    """Note that nobody will know whether a place was told; the row of the outbox goes, so that it is not sent twice."""
    await tx.execute(update(publications).where(*at(publications, place)).values(state="uncertain"))
    await withdraw(tx, place)


async def remember(tx: Transaction, due: Due, sent_at: datetime, *, entry: str | None = None) -> None:
    """Move a sent row to the ledger, unless newer content has folded into it meanwhile."""
    if due.action == "delete":
        await forget(tx, due.place)
    else:
        await put(tx, due, sent_at, entry=entry)
    await tx.execute(delete(outbox).where(*at(outbox, due.place), outbox.c.fingerprint == due.fingerprint))


async def forget(tx: Transaction, place: Place) -> None:
    """Take a place out of the ledger."""
    await tx.execute(delete(publications).where(*at(publications, place)))


async def put(tx: Transaction, due: Due, sent_at: datetime, *, entry: str | None = None, state: str = "told") -> None:
    """Write what a place says into the ledger."""
    row = {
        **columns_of(due.place),
        "content": dict(due.content),
        "fingerprint": due.fingerprint,
        "sent_at": sent_at,
        "overridden_at": None,
        "entry": entry,
        "period": due.period,
        "state": state,
    }
    await tx.execute(upsert(tx, publications, tuple(row)[4:]), [row])


async def override(tx: Transaction, place: Place, instant: datetime) -> None:
    """Note that a human changed the place since our last write; nothing is sent until it is released."""
    await tx.execute(update(publications).where(*at(publications, place)).values(overridden_at=instant))
    await withdraw(tx, place)


async def release(tx: Transaction, target: str, subject: str) -> list[Published]:
    """Give back the places of a subject that a human overrode or that are uncertain; return them as they were."""
    held = (
        publications.c.target == target,
        publications.c.subject == subject,
        or_(publications.c.overridden_at.is_not(None), publications.c.state == "uncertain"),
    )
    found = [published_of(row) for row in await tx.execute(select(publications).where(*held))]
    await tx.execute(update(publications).where(*held).values(overridden_at=None, fingerprint="released", state="told"))
    return found


async def ledger(tx: Transaction, targets: Collection[str] | None = None) -> dict[Place, Published]:
    """Return what the places of all targets, or of some, were last told."""
    query = select(publications)
    if targets is not None:
        query = query.where(publications.c.target.in_(list(targets)))
    return {place_of(row): published_of(row) for row in await tx.execute(query)}


def published_of(row: object) -> Published:
    """Return what a row of the ledger says."""
    names = ("content", "fingerprint", "sent_at", "overridden_at", "entry", "period", "state")
    return Published(place=place_of(row), **{name: getattr(row, name) for name in names})


def columns_of(place: Place) -> dict[str, str]:
    """Return the key columns of a place."""
    return {"target": place.target, "kind": place.kind, "subject": place.subject, "address": place.address}


def place_of(row: object) -> Place:
    """Return the place of a row."""
    return Place(**{name: getattr(row, name) for name in ("target", "kind", "subject", "address")})


def at(table: Table, place: Place) -> tuple[ColumnElement[bool], ...]:
    """Return the condition that a row is of a place."""
    return tuple(table.c[name] == value for name, value in columns_of(place).items())
