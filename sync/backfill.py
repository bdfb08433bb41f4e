"""Everything in scope, from nothing: the present first, then the past; resumable at any point.

What an interrupted run has stored is known by the time of its reads, so there is no position to lose; once all of the
present is stored, only what changed since is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from connectors.base import Json
from storage import checkpoints
from storage import items as store
from sync.census import Verdict, judge
from sync.context import Context, Live
from sync.ingest import drain, receiving
from sync.poll import COMPLETE, WATERMARK, Pulled, aside, pull, pull_history, refetch, run_id

STATE = "backfill"
PRESENT = "present"
"""in the state of a backfill: all of the present is stored"""


@dataclass(slots=True)
class Stored:
    """What this run has stored already, for the connector to skip; `skipped` counts it until it is told."""

    context: Context
    connection: str
    started_at: datetime
    skipped: int = 0

    async def missing(self, ids: Sequence[str]) -> list[str]:
        """Return those of `ids` that this run has not read yet, in order."""
        async with self.context.store.read() as tx:
            known = await store.read_since(tx, self.connection, ids, self.started_at)
        self.skipped += len(known)
        return [id_ for id_ in ids if id_ not in known]

    def tell(self, items: int) -> None:
        """Tell the watcher of so many new items and of those that were skipped since."""
        self.context.watcher.advance(self.connection, items + self.skipped)
        self.skipped = 0


async def begin(context: Context, source: Live, *, restart: bool) -> tuple[datetime, Json]:
    """Return when the running backfill began, and the watermark of an interrupted one that has all of the present."""
    async with context.store.write() as tx:
        state = await checkpoints.load(tx, source.name, STATE)
        interrupted = state is not None and state.get("finished_at") is None
        if interrupted and state["digest"] == source.reading.digest and not restart:
            mark = await checkpoints.load(tx, source.name, WATERMARK) if state.get(PRESENT) else None
            return datetime.fromisoformat(state["started_at"]), mark
        started_at = context.now()
        await checkpoints.save(tx, source.name, STATE, {"started_at": started_at, "digest": source.reading.digest})
    return started_at, None


async def pull_present(context: Context, source: Live, *, restart: bool = False) -> Pulled:
    """Read every item in scope as it is now, and find out what became of those that are no longer listed."""
    started_at, mark = await begin(context, source, restart=restart)
    if mark is not None:
        changed = await pull(context, source, mark, history=False)
        await settle_absent(context, source, changed, changed.absent)
        return changed
    pulled = Pulled(connection=source.name, started_at=started_at)
    pulled.ingested.add(await drain(context, source))
    resume = Stored(context, source.name, started_at)
    pages = source.connector.backfill(source.client, source.connection, source.reading, resume)
    async with receiving(context, source, pages, run_id()) as received:
        pulled.expected = await source.connector.count(source.client, source.connection, source.reading)
        context.watcher.stage(source.name, "issues", pulled.expected)
        async for done in received:
            pulled.ingested.count(done)
            resume.tell(done.items)
    resume.tell(0)
    context.watcher.done(source.name)
    async with context.store.read() as tx:
        absent = await store.not_read_since(tx, source.name, pulled.started_at)
    await settle_absent(context, source, pulled, absent)
    async with context.store.write() as tx:
        await checkpoints.save(tx, source.name, WATERMARK, first_watermark(source, started_at))
        await checkpoints.save(tx, source.name, COMPLETE, started_at)
        here = {"started_at": started_at, "digest": source.reading.digest, PRESENT: True}
        await checkpoints.save(tx, source.name, STATE, here)
    return pulled


async def settle_absent(context: Context, source: Live, pulled: Pulled, ids: Sequence[str]) -> None:
    """Judge the stored ones of items that the tracker did not hand out: deleted, moved or no longer visible."""
    async with context.store.read() as tx:
        known = await store.versions(tx, source.name, ids)
    for verdict in await judge(context, source, sorted(known), repair=pulled.ingested):
        pulled.deleted += verdict.state == Verdict.DELETED
        pulled.moved += verdict.state == Verdict.MOVED
        pulled.inaccessible += verdict.state == Verdict.INACCESSIBLE
    await refetch(context, source, pulled.ingested)


async def pull_past(context: Context, source: Live, pulled: Pulled, since: datetime | None) -> None:
    """Read the history of what was read, behind whatever else is asked of the tracker."""
    pulled.history += await pull_history(context, aside(source), pulled.ingested, since)


async def finish(context: Context, source: Live, pulled: Pulled) -> None:
    """Note that the backfill is done: the next one starts anew."""
    async with context.store.write() as tx:
        done = {"started_at": pulled.started_at, "finished_at": context.now(), "digest": source.reading.digest}
        await checkpoints.save(tx, source.name, STATE, done)


def first_watermark(source: Live, started_at: datetime) -> dict[str, Json]:
    """Return where the first incremental pull begins: when the backfill did, by the earlier of the two clocks."""
    ours = int((started_at - timedelta(minutes=5)).timestamp() * 1000)
    theirs, mark = (source.reading.facts.get(name) for name in ("read_ms", "mark"))
    return {
        **(mark if isinstance(mark, dict) else {}),
        "updated_ms": min(ours, theirs) if isinstance(theirs, int) else ours,
        "day": started_at.astimezone(UTC).date().isoformat(),
    }
