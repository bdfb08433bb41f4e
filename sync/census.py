"""Ids against the store: what the tracker has and we lack, what we have and the tracker does not list, and why.

Nothing is taken out of the numbers on the word of a listing alone: each absent item is read directly first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from domain.work import ItemRef, WorkItem
from storage import checkpoints
from storage import items as store
from sync.context import Context, Live
from sync.ingest import Ingested, bury, note, receive
from sync.poll import fetch, pull_history, refetch, run_id

STATE = "census"
SIDE_BY_SIDE = 8


class Verdict(StrEnum):
    """What a direct read of an absent item found."""

    PRESENT = "present"
    MOVED = "moved"
    DELETED = "deleted"
    INACCESSIBLE = "inaccessible"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """An item that the listing did not have, and why."""

    ref: ItemRef
    key: str
    title: str
    state: Verdict
    detail: str = ""


@dataclass(slots=True)
class Census:
    """The difference between a tracker and the store; `ingested` is what a repair changed."""

    connection: str
    listed: int = 0
    stored: int = 0
    missing: list[str] = field(default_factory=list)
    absent: list[Judged] = field(default_factory=list)
    repaired: int = 0
    ingested: Ingested = field(default_factory=Ingested)

    def document(self) -> dict[str, object]:
        """Return the census as the command prints it."""

        def of(state: Verdict) -> list[dict[str, object]]:
            return [
                {"id": one.ref.id, "key": one.key, "title": one.title, "detail": one.detail}
                for one in self.absent
                if one.state is state
            ]

        found = {state.value: of(state) for state in (Verdict.DELETED, Verdict.MOVED, Verdict.INACCESSIBLE)}
        return {
            "connection": self.connection,
            "items": self.stored,
            "listed": self.listed,
            "missing": len(self.missing),
            "repaired": self.repaired,
            **{name: len(rows) for name, rows in found.items()},
            "missing_ids": self.missing,
            "gone": found,
        }


async def take(context: Context, source: Live, *, repair: bool) -> Census:
    """List every id in scope and compare; with `repair` read what is missing, with its past, and mark what is gone."""
    found = Census(connection=source.name)
    context.watcher.stage(source.name, "census", None)
    async with context.store.write() as tx:
        await store.start_census(tx, source.name)
    async for ids in source.connector.ids(source.client, source.connection, source.reading):
        async with context.store.write() as tx:
            await store.add_census(tx, source.name, ids)
        found.listed += len(ids)
        context.watcher.advance(source.name, len(ids))
    async with context.store.read() as tx:
        found.missing, absent = await store.census_gaps(tx, source.name)
        found.stored = (await store.counts(tx)).get(source.name, 0)
    found.absent = await judge(context, source, absent, repair=found.ingested if repair else None)
    if repair:
        await refetch(context, source, found.ingested)
        unanswered = await fetch(context, source, found.missing, found.ingested) if found.missing else []
        gone = sum(one.state is not Verdict.PRESENT for one in found.absent)
        found.repaired = len(found.missing) - len(unanswered) + gone
    context.watcher.done(source.name)
    if found.ingested.items:
        await pull_history(context, source, found.ingested)
    async with context.store.write() as tx:
        await store.start_census(tx, source.name)
        await checkpoints.save(tx, source.name, STATE, summary(context, found))
    return found


async def judge(context: Context, source: Live, ids: list[str], *, repair: Ingested | None) -> list[Judged]:
    """Read absent items one by one, several side by side; with `repair` write what became of them.

    What an earlier read found out of sight is not read again while all that it is in is out of sight.
    """
    limit = asyncio.Semaphore(SIDE_BY_SIDE)
    run = run_id()
    lost = {name.casefold(): name for names in source.reading.lost.values() for name in names}

    async def one(id_: str) -> Judged:
        async with context.store.read() as tx:
            known = (await store.versions(tx, source.name, [id_]))[id_]
        if known.item.inaccessible and (name := lost_with(known.item, lost)):
            detail = f"no longer visible to our account, as all of {name}"
            return judged(known, Verdict.INACCESSIBLE, detail)
        async with limit:
            located = await source.connector.locate(
                source.client, source.connection, source.reading, id_, known.item.project, known.item.key
            )
        state = Verdict(located.state)
        if repair is not None:
            if located.page is not None:
                repair.add(await receive(context, source, located.page, f"{run}/{id_}"))
            elif state in (Verdict.DELETED, Verdict.INACCESSIBLE):
                await settle_gone(context, known, state, repair)
        return judged(known, state, located.detail)

    return list(await asyncio.gather(*(one(id_) for id_ in ids)))


def judged(known: store.Stored, state: Verdict, detail: str) -> Judged:
    """Return what became of a stored item."""
    return Judged(ref=known.item.ref, key=known.item.key, title=known.item.title, state=state, detail=detail)


def lost_with(item: WorkItem, lost: Mapping[str, str]) -> str | None:
    """Return the name of the lost project, team, repository or its organization that an item is in.

    `lost` are names that discovery lost from sight, by themselves in lower case.
    """
    project = item.project.casefold()
    return lost.get(project) or lost.get(project.partition("/")[0])


async def settle_gone(context: Context, known: store.Stored, state: Verdict, done: Ingested) -> None:
    """Put a tombstone on an item; access lost earlier keeps its first day, which the grace period counts from."""
    if state is Verdict.INACCESSIBLE and known.item.inaccessible:
        return
    now, found = context.now(), Ingested()
    async with context.store.alone() as tx:
        if state is Verdict.DELETED:
            await bury(tx, context, known, found, read_at=now, deleted_at=now)
        else:
            await bury(tx, context, known, found, read_at=now, inaccessible_on=context.today)
        await note(tx, context, found)
    done.add(found)


def summary(context: Context, found: Census) -> dict[str, object]:
    """Return what is kept of a census."""
    return {
        "at": context.now(),
        "listed": found.listed,
        "stored": found.stored,
        "missing": len(found.missing),
        "absent": len(found.absent),
        "repaired": found.repaired,
    }
